import Foundation
import Yams

/// A user's catalogue is a YAML list of models:
/// ```yaml
/// - name: My-Model
///   categories: [korean, size-comparison]
///   licence: Apache-2.0
///   description: what it is for
///   size: 123456789                # bytes; optional
///   sha256: 0123…cdef              # 64 hexadecimal digits
///   file: my-model.gguf            # optional: the last part of the first source
///   aliases: [mine]                # optional
///   sources:                       # of the same file, tried in order
///     - hf:OWNER/REPO/my-model.gguf
///     - url: https://example.com/my-model.gguf
///       sha256: 0123…cdef          # may stand here instead of above
/// - name: My-Own-Model
///   path: ~/models/own.gguf        # a file or folder that stays where it is, with no sources
/// ```
extension ModelCatalogue {
  private static let maximumBytes = 4 << 20

  /// This catalogue and the models of a YAML file.
  /// - Throws: `ModelFileError`, with the file, the entry, the field, what was expected and what
  ///   was found.
  public func adding(catalogueAt path: String) throws -> ModelCatalogue {
    try adding(yaml: Self.text(ofCatalogueAt: path), path: path)
  }

  /// - Throws: `ModelFileError`.
  static func text(ofCatalogueAt path: String) throws -> String {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ModelFileError.unreadable(
        path: path, reason: "expected the user's catalogue, found no file that can be read")
    }
    guard data.count <= maximumBytes else {
      throw ModelFileError.malformed(
        path: path, field: "size", expected: "at most \(maximumBytes) bytes",
        found: "\(data.count)")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw ModelFileError.malformed(
        path: path, field: "text", expected: "UTF-8", found: "other bytes")
    }
    return text
  }

  /// This catalogue and the models of YAML text; `path` is what errors call it.
  func adding(yaml: String, path: String) throws -> ModelCatalogue {
    let root: Node?
    do {
      root = try Yams.compose(yaml: yaml)
    } catch {
      throw ModelFileError.malformed(
        path: path, field: "text", expected: "valid YAML", found: "\(error)")
    }
    guard let root else { return self }
    guard case .sequence(let list) = root else {
      throw ModelFileError.malformed(
        path: path, field: "text", expected: "a list of models", found: root.kind)
    }
    var entries = entries
    var local = local
    var names = Set(
      (entries.flatMap(\.names) + local.flatMap(\.names)).map { $0.lowercased() })
    var files = Set(entries.map { $0.file.lowercased() })
    for (index, node) in list.enumerated() {
      let reader = try EntryReader(node: node, index: index, path: path)
      func take(_ new: [String]) throws {
        for name in new where !names.insert(name.lowercased()).inserted {
          throw reader.malformed("name", "a name that no other model has", "'\(name)' again")
        }
      }
      if let model = try reader.localModel() {
        try take(model.names)
        local.append(model)
        continue
      }
      let entry = try reader.entry()
      try take(entry.names)
      guard files.insert(entry.file.lowercased()).inserted else {
        throw reader.malformed("file", "a name that no other model has", "'\(entry.file)' again")
      }
      entries.append(entry)
    }
    return ModelCatalogue(entries: entries, local: local)
  }
}

/// Reads one model of a user's catalogue.
private struct EntryReader {
  private enum Field: String, CaseIterable {
    case name, aliases, file, size, sha256, licence, description, categories, sources, path
  }

  private let path: String
  /// What errors call the entry.
  private let label: String
  private var fields: [Field: Node] = [:]

  init(node: Node, index: Int, path: String) throws {
    self.path = path
    let name = node.mapping?["name"]?.scalar?.string
    label = "entry \(index + 1)" + (name.map { " '\($0)'" } ?? "")
    guard case .mapping(let mapping) = node else {
      throw malformed(nil, "a mapping of fields", node.kind)
    }
    for (key, value) in mapping {
      let key = key.scalar?.string ?? key.kind
      guard let field = Field(rawValue: key) else {
        let known = Field.allCases.map(\.rawValue).joined(separator: ", ")
        throw malformed(nil, "the fields \(known)", "'\(key)'")
      }
      fields[field] = value
    }
  }

  /// The model, if it is one that stays where it is.
  func localModel() throws -> LocalModel? {
    guard fields[.path] != nil else { return nil }
    for field in [Field.sources, .file, .size, .sha256] where fields[field] != nil {
      throw malformed(field.rawValue, "no such field beside path", "one")
    }
    // Like those of links, a path begins where its file lies.
    let base = URL(fileURLWithPath: self.path).deletingLastPathComponent()
    let path = NSString(string: try text(.path)).expandingTildeInPath
    return LocalModel(
      name: try name(text(.name), .name), aliases: try aliases(),
      path: URL(fileURLWithPath: path, relativeTo: base).standardizedFileURL.path,
      licence: try optionalText(.licence), description: try optionalText(.description),
      categories: try categories())
  }

  private func aliases() throws -> [String] {
    try texts(.aliases).map { try name($0, .aliases) }
  }

  private func categories() throws -> [String] {
    try texts(.categories).map { try name($0, .categories).lowercased() }
  }

  func entry() throws -> CatalogueEntry {
    let name = try name(text(.name), .name)
    let (sources, checksums) = try sources()
    let checksum = try fields[.sha256].map { try sha256($0, "sha256") }
    let all = Set(checksums.compactMap { $0 } + [checksum].compactMap { $0 })
    guard let sha256 = all.first, checksum != nil || !checksums.contains(nil) else {
      throw malformed("sha256", "64 hexadecimal digits, here or in every source", "nothing")
    }
    guard all.count == 1 else {
      throw malformed(
        "sha256", "one checksum: every source gives the same file",
        all.sorted().joined(separator: " and "))
    }
    return CatalogueEntry(
      name: name,
      aliases: try aliases(),
      file: try file(of: sources),
      size: try size(),
      sha256: sha256,
      licence: try optionalText(.licence),
      description: try optionalText(.description),
      categories: try categories(),
      sources: sources)
  }

  func malformed(_ field: String?, _ expected: String, _ found: String) -> ModelFileError {
    .malformed(
      path: path, field: label + (field.map { ", \($0)" } ?? ""), expected: expected,
      found: found)
  }

  // MARK: - Fields

  private func sources() throws -> ([ModelSource], [String?]) {
    guard let node = fields[.sources] else {
      throw malformed("sources", "a list of addresses", "nothing")
    }
    guard case .sequence(let list) = node, !list.isEmpty else {
      throw malformed("sources", "a list of at least one address", node.kind)
    }
    var sources: [ModelSource] = []
    var checksums: [String?] = []
    for (index, node) in list.enumerated() {
      let field = "source \(index + 1)"
      var address = node
      var checksum: String?
      if case .mapping(let mapping) = node {
        for (key, value) in mapping {
          switch key.scalar?.string {
          case "url": address = value
          case "sha256": checksum = try sha256(value, "\(field), sha256")
          default:
            throw malformed(
              field, "the fields url, sha256", "'\(key.scalar?.string ?? key.kind)'")
          }
        }
      }
      guard let text = address.scalar?.string, let source = ModelSource(text) else {
        throw malformed(
          field, "https://…, http://… or hf:OWNER/REPO/FILE",
          address.scalar.map { "'\($0.string)'" } ?? address.kind)
      }
      sources.append(source)
      checksums.append(checksum)
    }
    return (sources, checksums)
  }

  private func file(of sources: [ModelSource]) throws -> String {
    guard let file = try optionalText(.file) ?? sources.first?.fileName else {
      throw malformed("file", "a file name, since no source ends with one", "nothing")
    }
    let plain = file.utf8.allSatisfy {
      $0 > 32 && $0 != 127 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\\")
    }
    guard plain, !file.hasPrefix("."), !file.hasPrefix("-"), file.utf8.count <= 200,
      file.lowercased().hasSuffix(".gguf")
    else {
      throw malformed("file", "a plain file name that ends with .gguf", "'\(file)'")
    }
    return file
  }

  private func size() throws -> Int? {
    guard let node = fields[.size] else { return nil }
    guard let size = node.scalar.flatMap({ Int($0.string) }), size > 0 else {
      throw malformed(
        "size", "a number of bytes, at least 1", node.scalar.map { "'\($0.string)'" } ?? node.kind)
    }
    return size
  }

  private func sha256(_ node: Node, _ field: String) throws -> String {
    let text = node.scalar?.string
    guard let text, text.utf8.count == 64,
      text.utf8.allSatisfy({
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
          || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0 | 0x20
      })
    else {
      throw malformed(field, "64 hexadecimal digits", text.map { "'\($0)'" } ?? node.kind)
    }
    return text.lowercased()
  }

  /// A name that can be typed in a command and is no path: visible, without blanks and slashes.
  private func name(_ text: String, _ field: Field) throws -> String {
    guard !text.isEmpty, !text.hasPrefix("-"), !text.hasPrefix("."),
      text.unicodeScalars.allSatisfy({ $0.isVisible && $0 != "/" && $0 != "\\" }),
      !text.lowercased().hasSuffix(".gguf"), !text.hasPrefix(HubReference.scheme)
    else {
      throw malformed(
        field.rawValue,
        "a word without blanks and slashes that starts with a letter or digit, "
          + "does not start with hf: and does not end with .gguf", "'\(printable(text))'")
    }
    return text
  }

  private func text(_ field: Field) throws -> String {
    guard let text = try optionalText(field) else {
      throw malformed(field.rawValue, "text", "nothing")
    }
    return text
  }

  private func optionalText(_ field: Field) throws -> String? {
    guard let node = fields[field] else { return nil }
    guard let text = node.scalar?.string, !text.isEmpty else {
      throw malformed(field.rawValue, "text", node.scalar == nil ? node.kind : "empty text")
    }
    return text
  }

  private func texts(_ field: Field) throws -> [String] {
    guard let node = fields[field] else { return [] }
    guard case .sequence(let list) = node else {
      throw malformed(field.rawValue, "a list of words", node.kind)
    }
    return try list.map { node in
      guard let text = node.scalar?.string else {
        throw malformed(field.rawValue, "a list of words", "\(node.kind) in it")
      }
      return text
    }
  }
}

extension Node {
  /// What errors call it.
  fileprivate var kind: String {
    switch self {
    case .scalar(let scalar): "'\(scalar.string.prefix(60))'"
    case .mapping: "a mapping"
    case .sequence(let list): list.isEmpty ? "an empty list" : "a list"
    case .alias: "an alias"
    }
  }
}
