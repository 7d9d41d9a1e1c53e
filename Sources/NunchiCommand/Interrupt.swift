import Foundation
import Synchronization

/// Control-C, turned from the end of the program into a flag.
final class Interrupt {
  private let flag: Flag
  private let source: any DispatchSourceSignal

  final class Flag: Sendable {
    let value = Atomic(false)
  }

  init() {
    let flag = Flag()
    signal(SIGINT, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    source.setEventHandler {
      // A second one, with the first not yet heeded, ends the program.
      if flag.value.exchange(true, ordering: .relaxed) { exit(130) }
    }
    source.resume()
    self.flag = flag
    self.source = source
  }

  var came: Bool { flag.value.load(ordering: .relaxed) }

  func reset() { flag.value.store(false, ordering: .relaxed) }
}
