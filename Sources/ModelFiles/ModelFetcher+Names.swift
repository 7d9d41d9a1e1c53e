import Foundation
import Synchronization

extension ModelFetcher {
  /// Fetches a model unless it is there, and gives its place.
  /// - Parameter sha256: what the SHA-256 of a hub's single file must be.
  /// - Throws: `ModelFileError`, `CancellationError`.
  @discardableResult
  public func fetch(
    _ model: NamedModel, sha256: String? = nil,
    progress: @escaping (FetchProgress) -> Void = { _ in }
  ) throws -> ModelLocation {
    switch model {
    case .catalogued(let entry): .gguf(path: try fetch(entry, progress: progress))
    case .local(let model): try ModelLocation.at(path: model.path)
    case .hub(let reference): try fetch(reference, sha256: sha256, progress: progress)
    }
  }

  /// The files of a model by whatever it is called; they are fetched where they are not there. Does
  /// not block the caller's thread. Ends soon when the task is cancelled; what has come stays, and
  /// the next fetch goes on from there.
  /// - Parameters:
  ///   - name: a name of the catalogue, `hf:OWNER/REPO/FILE`, or a path.
  ///   - progress: told on another thread how far it is.
  /// - Throws: `ModelFileError`, `CancellationError`.
  @discardableResult
  public func fetch(
    named name: String, progress: @escaping @Sendable (FetchProgress) -> Void = { _ in }
  ) async throws -> ModelLocation {
    do {
      return try ModelLocation.resolve(name, cache: cache, environment: environment)
    } catch ModelFileError.notFetched {
      let model = try ModelCatalogue.standard(environment: environment).model(named: name)
      let flag = CancellationFlag()
      var fetcher = self
      fetcher.isCancelled = { [isCancelled] in flag.isSet || isCancelled() }
      return try await withTaskCancellationHandler {
        try await onThread { [fetcher] in try fetcher.fetch(model, progress: progress) }
      } onCancel: {
        flag.set()
      }
    }
  }
}

private final class CancellationFlag: Sendable {
  private let value = Atomic(false)

  var isSet: Bool { value.load(ordering: .relaxed) }

  func set() { value.store(true, ordering: .relaxed) }
}
