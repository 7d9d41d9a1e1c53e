import Drafters
import Foundation
import LanguageModels
import ModelFiles
import Speculation
import Synchronization
import Tokenization

/// A language model with its tokenizer, ready to generate. Immutable; several generations may
/// use it at once, and take turns at its threads.
public final class Model: Sendable {
  /// As it was asked for: a name of the catalogue or a path.
  public let name: String
  public let transformer: TransformerModel
  public let tokenizer: Tokenizer
  /// What in the files, or in how this was built, is not as it should be, a sentence each: an app
  /// shows it where its users look.
  public let loadingWarnings: [String]
  /// The GGUF file or the folder.
  let file: String
  /// What passes cost, once it is known.
  let costs = Mutex<KnownCosts?>(nil)
  private let fingerprint = Mutex<UInt64?>(nil)
  /// See `fileChecksum()` and `trainedDrafter(folder:)`.
  let checksum = Mutex<String?>(nil)
  let trained = Mutex<[String: TrainedDrafter]>([:])
  /// See `vocabularyBridge(to:)`.
  let bridge = Mutex<(draft: Tokenizer, bridge: VocabularyBridge)?>(nil)

  /// Loads a model. Blocks; see `load` for use from asynchronous code.
  /// - Parameters:
  ///   - name: a name of the catalogue, `hf:OWNER/REPO` or `hf:OWNER/REPO/FILE`, the path of a
  ///     GGUF file, or of a Hugging Face folder.
  ///   - pool: the threads to compute with. A draft model shares its target's.
  ///   - progress: told the share of the weights that are loaded, from 0 to 1.
  /// - Throws: `ModelFileError`, `TokenizationError` or `LanguageModelError`.
  public convenience init(
    _ name: String, pool: ComputePool, progress: (Double) -> Void = { _ in }
  ) throws {
    try self.init(name, at: ModelLocation.resolve(name), pool: pool, progress: progress)
  }

  private init(
    _ name: String, at location: ModelLocation, pool: ComputePool, progress: (Double) -> Void
  ) throws {
    self.name = name
    switch location {
    case .gguf(let path):
      self.file = path
      let file = try GGUFFile(path: path)
      tokenizer = try Tokenizer(file)
      transformer = try TransformerModel(gguf: file, pool: pool, progress: progress)
    case .huggingFace(let folder):
      file = folder
      tokenizer = try Tokenizer(folder: folder)
      transformer = try TransformerModel(folder: folder, pool: pool, progress: progress)
    }
    loadingWarnings =
      tokenizer.warnings + Self.kernelWarnings(areOptimized: ComputePool.kernelsAreOptimized)
  }

  /// Loads a model with threads of its own.
  /// - Parameter threads: how many compute; nil takes all of the machine's.
  public convenience init(
    _ name: String, threads: Int? = nil, progress: (Double) -> Void = { _ in }
  ) throws {
    try self.init(name, pool: Self.pool(threads: threads), progress: progress)
  }

  /// Loads a model without blocking the caller's thread. One that has a name and is not there is
  /// fetched first. That ends soon when the task is cancelled, and goes on there the next time.
  /// - Parameters:
  ///   - name: a name of the catalogue, `hf:OWNER/REPO` or `hf:OWNER/REPO/FILE` for a model of the
  ///     Hugging Face hub, the path of a GGUF file, or of a Hugging Face folder.
  ///   - threads: how many compute; nil takes all of the machine's.
  ///   - fetcher: has the cache, and the environment with a token of the hub, if need be.
  ///   - progress: told on other threads.
  /// - Throws: `ModelFileError`, `TokenizationError`, `LanguageModelError` or `CancellationError`.
  public static func load(
    _ name: String, threads: Int? = nil, fetcher: ModelFetcher = ModelFetcher(),
    progress: @escaping @Sendable (ModelProgress) -> Void = { _ in }
  ) async throws -> Model {
    try await load(name, pool: pool(threads: threads), fetcher: fetcher, progress: progress)
  }

  /// Loads a model that computes with this one's threads: a draft model. Fetches it first if need
  /// be.
  public func loadCompanion(
    _ name: String, fetcher: ModelFetcher = ModelFetcher(),
    progress: @escaping @Sendable (ModelProgress) -> Void = { _ in }
  ) async throws -> Model {
    try await Self.load(name, pool: transformer.pool, fetcher: fetcher, progress: progress)
  }

  private static func load(
    _ name: String, pool: ComputePool, fetcher: ModelFetcher,
    progress: @escaping @Sendable (ModelProgress) -> Void
  ) async throws -> Model {
    let location = try await fetcher.fetch(named: name) { progress(.fetching($0)) }
    return try await onThread {
      try Model(name, at: location, pool: pool) { progress(.loading($0)) }
    }
  }

  static func kernelWarnings(areOptimized: Bool) -> [String] {
    areOptimized
      ? []
      : [
        "the kernels were built without optimisation, and are some twenty times slower: build with "
          + "'swift build -c release', or a debug build with '-Xcc -O3'"
      ]
  }

  private static func pool(threads: Int?) throws -> ComputePool {
    if let threads, threads < 1 { throw NunchiError.invalidThreads(threads) }
    return try ComputePool(threads: threads ?? ProcessInfo.processInfo.activeProcessorCount)
  }

  /// Why another model's tokens are not this one's; nil when both give the same ids to the same
  /// tokens. Such a model drafts across vocabularies.
  public func vocabularyMismatch(with draft: Model) -> String? {
    let (mine, other) = (tokenizer, draft.tokenizer)
    if mine.vocabularySize != other.vocabularySize {
      return "\(mine.vocabularySize) tokens against \(other.vocabularySize)"
    }
    return vocabularyFingerprint == draft.vocabularyFingerprint
      ? nil : "the same number of tokens, but different ones"
  }

  /// `Tokenizer.vocabularyFingerprint`, computed once.
  public var vocabularyFingerprint: UInt64 {
    fingerprint.withLock { known in
      let checksum = known ?? tokenizer.vocabularyFingerprint
      known = checksum
      return checksum
    }
  }
}

/// How far the loading of a model is.
public enum ModelProgress: Sendable, Equatable {
  /// Its files are fetched: bytes that are there, of all.
  case fetching(FetchProgress)
  /// The share of its weights that are loaded, from 0 to 1.
  case loading(Double)
}
