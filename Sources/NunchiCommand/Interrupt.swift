import ArgumentParser
import Foundation
import Synchronization

/// Control-C and termination, turned from the end of the program into a flag.
final class Interrupt {
  private let state: State
  private let sources: [any DispatchSourceSignal]

  private final class State: Sendable {
    /// The signal that came; 0 for none.
    let signal = Atomic<Int32>(0)
    let action: Mutex<@Sendable (Int32) -> Void>

    init(_ action: @escaping @Sendable (Int32) -> Void) { self.action = Mutex(action) }
  }

  /// - Parameter action: called with the signal when one comes.
  init(_ action: @escaping @Sendable (Int32) -> Void = { _ in }) {
    let state = State(action)
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        // A second one, with the first not yet heeded, ends the program.
        if state.signal.exchange(number, ordering: .relaxed) != 0 { exit(128 + number) }
        state.action.withLock { $0 }(number)
      }
      source.resume()
      return source
    }
    self.state = state
  }

  var came: Bool { state.signal.load(ordering: .relaxed) != 0 }

  /// As shells name a program that a signal ended.
  var exitCode: ExitCode { ExitCode(128 + state.signal.load(ordering: .relaxed)) }

  /// Forgets a signal that came, and does something else when the next one comes.
  func reset(_ action: @escaping @Sendable (Int32) -> Void) {
    state.signal.store(0, ordering: .relaxed)
    state.action.withLock { $0 = action }
  }
}

/// Does work that can be stopped and gone on with, with a progress bar; stopped, it says so and ends
/// the command.
func resumably(
  _ label: String,
  _ work: (_ isCancelled: @escaping () -> Bool, _ report: @escaping (String) -> Void) async throws
    -> Void
) async throws {
  let bar = ProgressBar(label: label)
  let interrupt = Interrupt()
  do {
    try await work({ interrupt.came }, { bar.say($0) })
  } catch is CancellationError {
    bar.clear()
    writeError("stopped; the same command goes on from here")
    throw interrupt.exitCode
  }
  bar.clear()
}
