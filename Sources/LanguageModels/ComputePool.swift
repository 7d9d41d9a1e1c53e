import NunchiKernels
import Synchronization

/// The threads that compute. One pool can serve several models, such as a target and its draft
/// model: a pass holds the pool from its beginning to its end.
public final class ComputePool: Sendable {
  static let mostThreads = 1024

  /// Threads that work, the caller's included.
  public let threads: Int
  // A kernel call uses the pool alone: the lock makes passes on several threads take turns.
  private let handle: Mutex<Handle>

  private struct Handle: @unchecked Sendable {
    let pool: OpaquePointer
  }

  /// - Throws: `LanguageModelError.threadsUnavailable`.
  public init(threads: Int) throws {
    guard threads >= 1, threads <= Self.mostThreads, let pool = nk_pool_create(Int32(threads))
    else { throw LanguageModelError.threadsUnavailable(requested: threads) }
    self.threads = threads
    handle = Mutex(Handle(pool: pool))
  }

  deinit {
    handle.withLock { nk_pool_destroy($0.pool) }
  }

  /// Runs `body` with the pool to itself. For `nk_…` calls, which take the pool's pointer.
  public func withPool<Result>(_ body: (OpaquePointer) throws -> Result) rethrows -> Result {
    try handle.withLock { handle in
      // The result never outlives the lock as far as the pool is concerned.
      nonisolated(unsafe) let result = try body(handle.pool)
      return result
    }
  }
}
