import Foundation

/// Counts attempts in a row that brought nothing, waits between them, and gives up after too many.
struct Attempts {
  let fetcher: ModelFetcher
  /// What errors call the source.
  let source: String
  private var failures = 0

  init(fetcher: ModelFetcher, source: String) {
    self.fetcher = fetcher
    self.source = source
  }

  /// Something new has come.
  mutating func succeeded() { failures = 0 }

  /// - Throws: `ModelFileError.download` when that was the last attempt, `CancellationError`.
  mutating func failed(_ reason: String, wait: Bool) throws {
    failures += 1
    guard failures < fetcher.attempts else {
      throw ModelFileError.download(source: source, reason: "\(reason) (\(failures) attempts)")
    }
    guard wait else { return }
    let delay = min(fetcher.retryDelay * (1 << min(failures - 1, 10)), .seconds(30))
    let end = ContinuousClock.now + delay
    while ContinuousClock.now < end {
      if fetcher.isCancelled() { throw CancellationError() }
      Thread.sleep(forTimeInterval: min(0.1, max(0, (end - .now) / .seconds(1))))
    }
  }
}
