import ArgumentParser
import Foundation
import Synchronization

/// Control-C and termination, turned from the end of the program into a flag.
final class Interrupt {
  private let flag: Flag
  private let sources: [any DispatchSourceSignal]

  final class Flag: Sendable {
    let value = Atomic(false)
  }

  init() {
    let flag = Flag()
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        // A second one, with the first not yet heeded, ends the program.
        if flag.value.exchange(true, ordering: .relaxed) { exit(128 + number) }
      }
      source.resume()
      return source
    }
    self.flag = flag
  }

  var came: Bool { flag.value.load(ordering: .relaxed) }

  func reset() { flag.value.store(false, ordering: .relaxed) }
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
    throw ExitCode.failure
  }
  bar.clear()
}
