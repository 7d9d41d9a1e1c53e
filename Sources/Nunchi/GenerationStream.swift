import Foundation
import Synchronization

/// What a generation reports as it goes.
public enum GenerationEvent: Sendable {
  /// More text, in whole characters as people see them (grapheme clusters). Never empty.
  case text(String)
  /// The last event: everything again, with statistics. Of a cancelled generation too, as far as it
  /// came.
  case finished(GenerationResult)
}

/// A stream of text that ends with statistics. Dropping it ends the generation. So do `cancel` and
/// the cancellation of the reading task, and then the stream still goes on to its last event.
///
/// It has one reader: of several, each event reaches one.
public struct GenerationStream: AsyncSequence, Sendable {
  public typealias Element = GenerationEvent

  private let reader: Reader

  public struct Iterator: AsyncIteratorProtocol, Sendable {
    fileprivate let reader: Reader

    public func next() async throws -> GenerationEvent? { try await reader.events.next() }
  }

  fileprivate init(_ events: Events) { reader = Reader(events: events) }

  public func makeAsyncIterator() -> Iterator { Iterator(reader: reader) }

  /// Ends the generation before its next pass.
  public func cancel() { reader.events.cancel() }

  /// What the generation came to, once it has ended.
  /// - Throws: what went wrong, or `CancellationError` when the calling task is cancelled.
  public func result() async throws -> GenerationResult {
    for try await event in self {
      try Task.checkCancellation()
      if case .finished(let result) = event { return result }
    }
    throw CancellationError()
  }
}

/// Held by a stream and its iterators: when the last is gone, nobody listens.
private final class Reader: Sendable {
  let events: Events

  init(events: Events) { self.events = events }

  deinit { events.cancel() }
}

/// Events on their way from the generation's thread to the reader.
private final class Events: Sendable {
  private typealias Waiting = CheckedContinuation<GenerationEvent?, any Error>

  private struct State {
    var ready: [GenerationEvent] = []
    var end: Result<Void, any Error>?
    var waiting: [Waiting] = []
  }

  private let state = Mutex(State())
  private let cancelled = Atomic(false)

  var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

  func cancel() { cancelled.store(true, ordering: .relaxed) }

  func append(_ event: GenerationEvent) {
    let waiting = state.withLock { state -> Waiting? in
      if state.waiting.isEmpty {
        state.ready.append(event)
        return nil
      }
      return state.waiting.removeFirst()
    }
    waiting?.resume(returning: event)
  }

  func finish(_ end: Result<Void, any Error>) {
    let waiting = state.withLock { state in
      state.end = end
      defer { state.waiting = [] }
      return state.waiting
    }
    for reader in waiting { reader.resume(with: end.map { nil }) }
  }

  func next() async throws -> GenerationEvent? {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (reader: Waiting) in
        let found = state.withLock { state -> Result<GenerationEvent?, any Error>? in
          if !state.ready.isEmpty { return .success(state.ready.removeFirst()) }
          if state.end == nil { state.waiting.append(reader) }
          return state.end?.map { nil }
        }
        if let found { reader.resume(with: found) }
      }
    } onCancel: {
      cancel()
    }
  }
}

/// Runs `body` as the source of a stream.
/// - Parameters:
///   - start: runs the work, which blocks; on a thread of its own if not given.
///   - body: is given a place for events, and what tells it that nobody wants more.
func generationStream(
  on start: (@escaping @Sendable () -> Void) -> Void = { Thread.detachNewThread($0) },
  _ body:
    @escaping @Sendable (
      _ yield: @escaping @Sendable (GenerationEvent) -> Void,
      _ isCancelled: @escaping @Sendable () -> Bool
    ) throws -> Void
) -> GenerationStream {
  let events = Events()
  start {
    events.finish(Result { try body({ events.append($0) }, { events.isCancelled }) })
  }
  return GenerationStream(events)
}

extension TextGenerator {
  /// Generates to the end, or as far as it comes before it is cancelled, and reports all but the
  /// end.
  func run(
    prompt: [Int32], options: GenerationOptions, continuing: Bool,
    isCancelled: @escaping () -> Bool, _ yield: @escaping @Sendable (GenerationEvent) -> Void
  ) throws -> GenerationResult {
    self.isCancelled = isCancelled
    func show(_ text: String) {
      if !text.isEmpty { yield(.text(text)) }
    }
    do {
      try begin(prompt: prompt, options: options, continuing: continuing)
      while let text = try next() { show(text) }
    } catch is CancellationError {
      show(try end())
    }
    return result
  }
}
