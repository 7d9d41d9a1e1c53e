import Foundation
import Testing

@testable import ModelFiles

@Suite struct ChildProcessTests {
  private func shell(
    _ script: String, isCancelled: @escaping () -> Bool = { false }
  ) -> ChildProcess {
    ChildProcess(
      program: "sh", arguments: ["-c", script], purpose: "for a test", isCancelled: isCancelled)
  }

  private struct Enough: Error {}

  @Test("Input, output, errors and the exit code are passed on")
  func plain() throws {
    let tool = ChildProcess(
      program: "sh", arguments: ["-c", "cat; echo problem >&2; exit 3"], purpose: "for a test",
      input: "text")
    let (result, text) = try tool.output()
    #expect(text == "text")
    #expect(result.status == 3 && result.errors == "problem")
    #expect(try shell("kill -KILL $$").output().result.status == 128 + SIGKILL)
  }

  @Test("A program starts with no signal blocked and none ignored")
  func signals() async throws {
    // On a thread of its own, whose mask is like those of Swift's concurrency.
    let text = try await onThread { [self] in
      var blocked = sigset_t()
      sigfillset(&blocked)
      pthread_sigmask(SIG_SETMASK, &blocked, nil)
      signal(SIGUSR2, SIG_IGN)
      defer { signal(SIGUSR2, SIG_DFL) }
      return try ["TERM", "USR1", "USR2"].map {
        try shell("kill -\($0) $$; echo survived").output().text
      }
    }
    #expect(text == ["", "", ""])
  }

  @Test(
    "Programs that do not heed are ended, with what they have started",
    .timeLimit(.minutes(5)),
    arguments: [
      "while :; do echo more; done",
      "trap '' TERM; while :; do echo more; done",
      "sh -c 'trap \"\" TERM; while :; do echo more; done' & sleep 600",
    ])
  func stubborn(script: String) async throws {
    let seconds = try await onThread { [self] in
      var blocked = sigset_t()
      sigfillset(&blocked)
      pthread_sigmask(SIG_SETMASK, &blocked, nil)
      let start = ContinuousClock.now
      #expect(throws: Enough.self) { _ = try shell(script).run { _ in throw Enough() } }
      return (ContinuousClock.now - start) / .seconds(1)
    }
    #expect(seconds < 120)
  }

  @Test(
    "A cancelled program is ended, whether it writes, is silent or has closed its output",
    .timeLimit(.minutes(5)), arguments: ["yes", "sleep 600", "exec >&-; sleep 600"])
  func cancelled(script: String) async throws {
    // Without the wait for a thread, which other tests may hold.
    let seconds = try await onThread { [self] in
      let start = ContinuousClock.now
      let tool = shell(script) { ContinuousClock.now - start > .milliseconds(300) }
      #expect(throws: CancellationError.self) { _ = try tool.run { _ in } }
      return (ContinuousClock.now - start) / .seconds(1)
    }
    #expect(seconds < 120)
  }

  @Test("A program has no files open but its own three")
  func files() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("x", as: "open")
    // Opened without O_CLOEXEC, as by another library.
    let descriptor = open(path, O_RDONLY)
    defer { close(descriptor) }
    let (_, text) = try shell("ls -l /proc/self/fd 2>/dev/null || true").output()
    #expect(!text.contains("/open"))
  }
}
