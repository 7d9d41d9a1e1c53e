import Foundation

/// A program that runs. It starts with no signal blocked and none ignored, whatever the thread
/// that starts it has: both are inherited, and the threads of Swift's concurrency block SIGTERM.
/// It has no files open but its three, and leads a process group of its own.
final class SpawnedProcess {
  private static let starting = NSLock()
  private let id: pid_t
  private var status: Int32?

  /// - Parameters:
  ///   - arguments: without the program's name.
  ///   - input: open files that become its standard ones. None of the three is 0, 1 or 2.
  /// - Throws: `ModelFileError.unreadable` when the program cannot be run.
  init(
    path: String, arguments: [String], environment: [String: String],
    input: Int32, output: Int32, errors: Int32
  ) throws {
    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t?
      var attributes: posix_spawnattr_t?
      var flags = POSIX_SPAWN_CLOEXEC_DEFAULT
    #else
      var actions = posix_spawn_file_actions_t()
      var attributes = posix_spawnattr_t()
      var flags: Int32 = 0
    #endif
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    for (standard, file) in [input, output, errors].enumerated() {
      posix_spawn_file_actions_adddup2(&actions, file, Int32(standard))
    }
    var none = sigset_t()
    var all = sigset_t()
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    flags |= Int32(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP)
    posix_spawnattr_setflags(&attributes, Int16(flags))

    let words = ([path] + arguments).map { strdup($0) }
    let variables = environment.map { strdup("\($0.key)=\($0.value)") }
    defer { for text in words + variables { free(text) } }
    var id = pid_t()
    let result = Self.apart {
      #if !canImport(Darwin)
        for file in Self.openFiles { posix_spawn_file_actions_addclose(&actions, file) }
      #endif
      return posix_spawn(&id, path, &actions, &attributes, words + [nil], variables + [nil])
    }
    guard result == 0 else {
      throw ModelFileError.unreadable(
        path: path, reason: "cannot be run: \(String(cString: strerror(result)))")
    }
    self.id = id
  }

  /// Opens files that no program of another thread may inherit while they are opened.
  static func apart<Value>(_ body: () throws -> Value) rethrows -> Value {
    starting.lock()
    defer { starting.unlock() }
    return try body()
  }

  /// Waits for the end, at most so long.
  /// - Returns: the exit code, or 128 and the signal's number; nil when it still runs.
  /// - Throws: what `check` throws, which is called again and again.
  func wait(seconds: Double = .infinity, check: () throws -> Void) rethrows -> Int32? {
    let start = ContinuousClock.now
    var pause: UInt32 = 500
    while status == nil {
      try check()
      var found: Int32 = 0
      let answer = waitpid(id, &found, WNOHANG)
      if answer == id {
        status = found & 0x7F == 0 ? found >> 8 & 0xFF : 128 + found & 0x7F
      } else if answer < 0, errno != EINTR {
        // Somebody else has waited for it, so it has ended.
        status = 127
      } else if (ContinuousClock.now - start) / .seconds(1) >= seconds {
        return nil
      } else {
        usleep(pause)
        pause = min(pause * 2, 50_000)
      }
    }
    return status
  }

  /// Ends it and what it has started: it is asked to, and killed where it does not heed.
  func end() {
    for signal in [SIGTERM, SIGKILL] where status == nil {
      kill(-id, signal)
      _ = wait(seconds: 2) {}
    }
  }

  /// The files of this process that a program would have open too.
  private static var openFiles: [Int32] {
    let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
    return (names ?? []).compactMap { Int32($0) }.filter { $0 > STDERR_FILENO }
  }
}
