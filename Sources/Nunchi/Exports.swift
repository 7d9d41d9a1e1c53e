// What the public API speaks of, so that `import Nunchi` is enough.
@_exported import struct Drafters.AffineTreeConfiguration
@_exported import LanguageModels
@_exported import struct ModelFiles.FetchProgress
@_exported import struct ModelFiles.ModelFetcher
@_exported import Sampling
@_exported import Speculation
@_exported import Tokenization
