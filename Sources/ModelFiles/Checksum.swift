import Foundation

/// The SHA-256 of a file, 64 hexadecimal digits in lower case. The system's own program computes
/// it.
/// - Throws: `ModelFileError.unreadable` or `.missingProgram`.
public func sha256(
  ofFile path: String, environment: [String: String] = ProcessInfo.processInfo.environment
) throws -> String {
  let gnu = ChildProcess.find("sha256sum", environment: environment) != nil
  let tool = ChildProcess(
    program: gnu ? "sha256sum" : "shasum",
    arguments: (gnu ? [] : ["-a", "256"]) + ["--", path],
    purpose: "to compute a checksum", environment: environment)
  let (result, text) = try tool.output()
  // A name with a backslash or line break makes the line start with a backslash.
  let found = text.drop { $0 == "\\" }.prefix(64).lowercased()
  guard result.status == 0, found.utf8.count == 64 else {
    throw ModelFileError.unreadable(path: path, reason: result.errors)
  }
  return found
}
