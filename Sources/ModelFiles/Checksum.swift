import Foundation

/// What tells whether a file is the right one.
public enum FileChecksum: Sendable, Equatable {
  /// 64 hexadecimal digits in lower case.
  case sha256(String)
  /// What git calls a file: the SHA-1 of `blob`, its size and its content; 40 digits. The Hugging
  /// Face hub knows small files by it.
  case gitBlob(String)

  public var digits: String {
    switch self {
    case .sha256(let digits), .gitBlob(let digits): digits
    }
  }

  /// Throws when a file is another one.
  /// - Throws: `ModelFileError`: `.wrongChecksum`, `.unreadable`, `.missingProgram`.
  func check(
    file path: String, environment: [String: String], isCancelled: @escaping () -> Bool
  ) throws {
    let found =
      switch self {
      case .sha256: try ModelFiles.sha256(ofFile: path, environment, isCancelled)
      case .gitBlob: try ModelFiles.gitBlob(ofFile: path, environment, isCancelled)
      }
    guard found == digits.lowercased() else {
      throw ModelFileError.wrongChecksum(path: path, expected: digits, found: found)
    }
  }
}

extension FileChecksum: Codable {
  private static let kinds: [(String, @Sendable (String) -> FileChecksum)] = [
    ("sha256:", { .sha256($0) }), ("git-blob:", { .gitBlob($0) }),
  ]

  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    for (kind, make) in Self.kinds where text.hasPrefix(kind) {
      self = make(String(text.dropFirst(kind.count)))
      return
    }
    throw DecodingError.dataCorrupted(
      .init(codingPath: decoder.codingPath, debugDescription: "expected sha256: or git-blob:"))
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .sha256(let digits): try container.encode("sha256:\(digits)")
    case .gitBlob(let digits): try container.encode("git-blob:\(digits)")
    }
  }
}

/// The SHA-256 of a file, 64 hexadecimal digits in lower case. The system's own program computes
/// it.
/// - Throws: `ModelFileError.unreadable` or `.missingProgram`.
public func sha256(
  ofFile path: String, environment: [String: String] = ProcessInfo.processInfo.environment
) throws -> String {
  try sha256(ofFile: path, environment) { false }
}

private func sha256(
  ofFile path: String, _ environment: [String: String], _ isCancelled: @escaping () -> Bool
) throws -> String {
  let gnu = ChildProcess.find("sha256sum", environment: environment) != nil
  return try digits(
    64, of: path, gnu ? "sha256sum" : "shasum", (gnu ? [] : ["-a", "256"]) + ["--", path],
    environment, isCancelled)
}

private func gitBlob(
  ofFile path: String, _ environment: [String: String], _ isCancelled: @escaping () -> Bool
) throws -> String {
  let gnu = ChildProcess.find("sha1sum", environment: environment) != nil
  let script = #"{ printf 'blob %s\0' "$1"; cat -- "$2"; } | "$3""#
  return try digits(
    40, of: path, "sh",
    ["-c", script, "sh", "\(PartFile.size(at: path) ?? 0)", path, gnu ? "sha1sum" : "shasum"],
    environment, isCancelled)
}

/// The digits that a program's answer begins with.
private func digits(
  _ count: Int, of path: String, _ program: String, _ arguments: [String],
  _ environment: [String: String], _ isCancelled: @escaping () -> Bool
) throws -> String {
  let tool = ChildProcess(
    program: program, arguments: arguments, purpose: "to compute a checksum",
    environment: environment, isCancelled: isCancelled)
  let (result, text) = try tool.output()
  // A name with a backslash or line break makes the line start with a backslash.
  let found = text.drop { $0 == "\\" }.prefix(count).lowercased()
  guard result.status == 0, found.utf8.count == count else {
    throw ModelFileError.unreadable(path: path, reason: result.errors)
  }
  return found
}
