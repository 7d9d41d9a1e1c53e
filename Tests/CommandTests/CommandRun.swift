import Foundation
import Testing

/// All tests of the command. One process runs at a time, so that none waits for another's threads.
@Suite(.serialized) struct CommandTests {
  /// The model of these tests; small enough to be fetched for them.
  static let model = "SmolLM2-135M"

  /// Fetches it once when it is not in the cache.
  private static let fetched = Task {
    let run = try await nunchi(["models", "fetch", model], limit: 900)
    try #require(run.code == 0, "\(run.errors)")
  }

  static func fetchModel() async throws { try await fetched.value }
}

/// What one run of the built `nunchi` left behind.
struct CommandRun {
  /// The exit code; nil when a signal ended the process.
  var code: Int32?
  var outputBytes: Data
  var errorBytes: Data
  var seconds: Double

  var output: String { String(decoding: outputBytes, as: UTF8.self) }
  var errors: String { String(decoding: errorBytes, as: UTF8.self) }

  /// The whole of standard output as one JSON value; anything beside it is an error.
  func json<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(type, from: outputBytes)
  }

  /// The keys of the JSON object on standard output.
  func jsonKeys() throws -> Set<String> {
    let object = try JSONSerialization.jsonObject(with: outputBytes)
    return Set(try #require(object as? [String: Any]).keys)
  }
}

/// Why a run gave no result.
enum CommandRunError: Error {
  case notBuilt(path: String)
  case tooSlow(arguments: [String], seconds: Double)
}

/// Runs `nunchi` to its end, with nothing or some bytes at standard input.
/// - Parameters:
///   - input: comes through a pipe, and fits into its buffer.
///   - environment: added to that of the tests.
///   - limit: seconds after which the process is killed and the test fails.
@discardableResult
func nunchi(
  _ arguments: [String], input: (any Sequence<UInt8>)? = nil, environment: [String: String] = [:],
  limit: Double = 120
) async throws -> CommandRun {
  let program = try nunchiExecutable()
  return try await run(
    program, arguments, input: input.map { Data($0) }, environment: environment, limit: limit)
}

/// Runs a script of bash that names the built `nunchi` by `$NUNCHI`.
func bash(
  _ script: String, environment: [String: String] = [:], limit: Double = 120
) async throws -> CommandRun {
  let variables = environment.merging(["NUNCHI": try nunchiExecutable().path]) { $1 }
  return try await run(
    URL(fileURLWithPath: "/bin/bash"), ["-c", script], input: nil, environment: variables,
    limit: limit)
}

private func run(
  _ program: URL, _ arguments: [String], input: Data?, environment: [String: String],
  limit: Double
) async throws -> CommandRun {
  // Waiting blocks a thread, which must not be one of the few that run tests.
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread {
      continuation.resume(
        with: Result {
          try runToEnd(program, arguments, input: input, environment: environment, limit: limit)
        })
    }
  }
}

private func runToEnd(
  _ program: URL, _ arguments: [String], input: Data?, environment: [String: String],
  limit: Double
) throws -> CommandRun {
  let process = Process()
  process.executableURL = program
  process.arguments = arguments
  var variables = ProcessInfo.processInfo.environment
  variables["COLUMNS"] = nil  // help texts are compared as 80 columns wide
  process.environment = variables.merging(environment) { $1 }
  let (output, errors) = (PipeReader(), PipeReader())
  process.standardOutput = output.pipe
  process.standardError = errors.pipe
  let inputPipe = Pipe()
  if let input {
    try #require(input.count <= 65_536, "more than a pipe's buffer would block")
    try inputPipe.fileHandleForWriting.write(contentsOf: input)
  }
  try inputPipe.fileHandleForWriting.close()
  process.standardInput = inputPipe

  let start = ContinuousClock.now
  try process.run()
  output.begin()
  errors.begin()
  let ended = [output, errors].allSatisfy { reader in
    reader.wait(seconds: limit - (ContinuousClock.now - start) / .seconds(1))
  }
  if !ended { kill(process.processIdentifier, SIGKILL) }
  process.waitUntilExit()
  let seconds = (ContinuousClock.now - start) / .seconds(1)
  guard ended else { throw CommandRunError.tooSlow(arguments: arguments, seconds: seconds) }
  return CommandRun(
    code: process.terminationReason == .exit ? process.terminationStatus : nil,
    outputBytes: output.bytes, errorBytes: errors.bytes, seconds: seconds)
}

/// The command lies where the test bundle lies.
func nunchiExecutable() throws -> URL {
  let bundle = Bundle.allBundles.first { $0.bundleURL.pathExtension == "xctest" }?.bundleURL
  let tests = bundle ?? URL(fileURLWithPath: CommandLine.arguments[0])
  let command = tests.deletingLastPathComponent().appendingPathComponent("nunchi")
  guard FileManager.default.isExecutableFile(atPath: command.path) else {
    throw CommandRunError.notBuilt(path: command.path)
  }
  return command
}

/// Reads a pipe to its end on a thread of its own: a full pipe would stop the process.
private final class PipeReader: @unchecked Sendable {
  let pipe = Pipe()
  private let end = DispatchSemaphore(value: 0)
  /// Read once `wait` has told that the end has come.
  private(set) var bytes = Data()

  func begin() {
    Thread.detachNewThread { [self] in
      bytes = pipe.fileHandleForReading.readDataToEndOfFile()
      end.signal()
    }
  }

  func wait(seconds: Double) -> Bool { end.wait(timeout: .now() + max(0, seconds)) == .success }
}

/// A folder for one test's files, removed after it.
func withTemporaryFolder<Value>(_ body: (URL) async throws -> Value) async throws -> Value {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("nunchi-command-tests-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try await body(folder)
}

/// Whether a model's file is in the cache.
func isCached(_ name: String) async -> Bool {
  (try? await nunchi(["models", "path", name]))?.code == 0
}
