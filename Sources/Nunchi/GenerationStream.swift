import Foundation
import Synchronization

/// What a generation reports as it goes.
public enum GenerationEvent: Sendable {
  /// More text, in whole characters. Never empty.
  case text(String)
  /// The last event: everything again, with statistics.
  case finished(GenerationResult)
}

/// A stream of text that ends with statistics. Dropping it ends the generation.
public typealias GenerationStream = AsyncThrowingStream<GenerationEvent, any Error>

/// Runs `body` on a thread of its own, as the source of a stream.
/// - Parameter body: is given a place for events, and what tells it that nobody listens any more.
func generationStream(
  _ body:
    @escaping @Sendable (
      _ yield: @escaping @Sendable (GenerationEvent) -> Void,
      _ isCancelled: @escaping @Sendable () -> Bool
    ) throws -> Void
) -> GenerationStream {
  GenerationStream { continuation in
    let ended = Flag()
    continuation.onTermination = { _ in ended.raise() }
    Thread.detachNewThread {
      do {
        try body({ continuation.yield($0) }, { ended.isRaised })
        continuation.finish()
      } catch {
        continuation.finish(throwing: error)
      }
    }
  }
}

/// A signal from one thread to another.
private final class Flag: Sendable {
  private let value = Atomic(false)

  var isRaised: Bool { value.load(ordering: .relaxed) }

  func raise() { value.store(true, ordering: .relaxed) }
}

extension TextGenerator {
  /// Generates to the end and reports it.
  func run(
    prompt: [Int32], options: GenerationOptions, continuing: Bool,
    _ yield: @Sendable (GenerationEvent) -> Void
  ) throws {
    try begin(prompt: prompt, options: options, continuing: continuing)
    while let text = try next() {
      if !text.isEmpty { yield(.text(text)) }
    }
    yield(.finished(result))
  }
}
