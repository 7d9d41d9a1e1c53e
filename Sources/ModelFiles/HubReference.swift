/// A model of the Hugging Face hub by its name there: `hf:OWNER/REPO`, with `@REVISION` and
/// `/FILE` if wanted. The parts become folders of the cache and parts of addresses, so they hold
/// nothing that could mean another place or look like another name.
public struct HubReference: Sendable, Equatable {
  public let owner: String
  public let repository: String
  /// A branch, a tag or a commit; nil is `main`.
  public let revision: String?
  /// A file, with its folders; nil is the repository's own model.
  public let file: String?

  static let scheme = "hf:"
  static let form = "hf:OWNER/REPO, hf:OWNER/REPO@REVISION or one of them with /FILE"

  /// Reads a name.
  /// - Throws: `ModelFileError.malformed`.
  public init(_ text: String) throws {
    func malformed(_ field: String, _ expected: String, _ found: String) -> ModelFileError {
      .malformed(path: printable(text), field: field, expected: expected, found: found)
    }
    guard text.hasPrefix(Self.scheme) else { throw malformed("name", Self.form, "another form") }
    let parts = text.dropFirst(Self.scheme.count)
      .split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 2 else { throw malformed("name", Self.form, "no '/'") }
    let names = parts[1].split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    owner = parts[0]
    repository = String(names[0])
    let revision = names.count > 1 ? String(names[1]) : "main"
    self.revision = revision == "main" ? nil : revision
    file = parts.count > 2 ? parts[2] : nil
    for (field, name) in [("owner", owner), ("repository", repository), ("revision", revision)]
    where !Self.isName(name) {
      throw malformed(
        field,
        "1 to 96 of the letters a to z, digits, '-', '_' and '.', none of them "
          + "'-' or '.' at an end, nor '..'", "'\(printable(name))'")
    }
    if let file, !Self.isSafe(file: file) {
      throw malformed(
        "file", "names divided by '/', without blanks, control characters, '\\' or a leading '.'",
        "'\(printable(file))'")
    }
  }

  private init(owner: String, repository: String, revision: String?, file: String?) {
    self.owner = owner
    self.repository = repository
    self.revision = revision
    self.file = file
  }

  /// Another file of the same repository.
  func with(file: String?) -> HubReference {
    HubReference(owner: owner, repository: repository, revision: revision, file: file)
  }

  /// `OWNER/REPO`.
  var path: String { "\(owner)/\(repository)" }

  /// The hub's rules for names, which are ASCII.
  private static func isName(_ name: String) -> Bool {
    let ends = [name.utf8.first, name.utf8.last]
    return 1...96 ~= name.utf8.count && !name.contains("..")
      && !ends.contains(UInt8(ascii: ".")) && !ends.contains(UInt8(ascii: "-"))
      && name.utf8.allSatisfy {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
          || UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20
          || [UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ".")].contains($0)
      }
  }

  /// Whether a repository's file can have its name in the cache.
  static func isSafe(file: String) -> Bool {
    file.utf8.count <= 1000
      && file.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { name in
        !name.isEmpty && name.utf8.count <= 200 && name.utf8.first != UInt8(ascii: ".")
          && name.utf8.first != UInt8(ascii: "-")
          && name.unicodeScalars.allSatisfy { $0.isVisible && $0 != "\\" }
      }
  }
}

extension HubReference: CustomStringConvertible {
  public var description: String {
    Self.scheme + path + (revision.map { "@\($0)" } ?? "") + (file.map { "/\($0)" } ?? "")
  }
}

extension Unicode.Scalar {
  /// Whether it is seen where it is printed: no blank, no control character, none that hides or
  /// turns what is beside it.
  var isVisible: Bool {
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator, .spaceSeparator:
      false
    default: !properties.isWhitespace && !properties.isDefaultIgnorableCodePoint
    }
  }
}

/// Foreign text for an error: a line of visible characters and blanks, and not too long.
func printable(_ text: some StringProtocol) -> String {
  var line = ""
  for scalar in text.unicodeScalars.prefix(300) {
    line.unicodeScalars.append(scalar.isVisible || scalar == " " ? scalar : "\u{FFFD}")
  }
  return line
}
