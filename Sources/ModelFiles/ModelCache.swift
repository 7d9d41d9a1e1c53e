import Foundation

/// The folder that fetched models are kept in, outside any repository.
public struct ModelCache: Sendable, Equatable {
  /// `$NUNCHI_CACHE`, or `~/.cache/nunchi`.
  public let folder: String

  public init(folder: String) {
    self.folder = folder
  }

  /// The cache that the environment names.
  public static func standard(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> ModelCache {
    if let folder = environment["NUNCHI_CACHE"], !folder.isEmpty {
      return ModelCache(folder: folder)
    }
    return ModelCache(folder: "\(environment["HOME"] ?? NSHomeDirectory())/.cache/nunchi")
  }

  /// Where model files lie.
  public var models: String { "\(folder)/models" }

  /// Where a model's file lies once it is fetched.
  public func path(of entry: CatalogueEntry) -> String { "\(models)/\(entry.file)" }
}
