import Foundation
import Yams

extension ModelCatalogue {
  /// Where the user's catalogue lies, or would: what `NUNCHI_CATALOGUE` names, or
  /// `~/.config/nunchi/models.yaml`.
  public static func userPath(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String {
    if let path = environment["NUNCHI_CATALOGUE"], !path.isEmpty { return path }
    return "\(environment["HOME"] ?? NSHomeDirectory())/.config/nunchi/models.yaml"
  }

  /// Gives a GGUF file or a model's folder a name in the user's catalogue, which is made where
  /// there is none. The files stay where they are.
  /// - Throws: `ModelFileError` when the name cannot be one or is another model's, when there is
  ///   no model at the path, or when the catalogue cannot be written.
  @discardableResult
  public static func add(
    _ name: String, path: String,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> LocalModel {
    let file = URL(fileURLWithPath: NSString(string: path).expandingTildeInPath)
      .standardizedFileURL.path
    // Reads the metadata: what is no model is told now, not at its first use.
    _ = try ModelSummary(of: ModelLocation.at(path: file))
    let catalogue = userPath(environment: environment)
    try edit(catalogue) { text in
      let item = try Yams.serialize(
        node: [["name": Node(name), "path": Node(file)]], width: -1, allowUnicode: true)
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      let first = lines.first { $0.drop { $0 == " " }.hasPrefix("- ") }
      let indent = String(first?.prefix { $0 == " " } ?? "")
      let added = item.split(separator: "\n").map { "\(indent)\($0)\n" }.joined()
      let isEmpty = text.trimmingCharacters(in: .whitespacesAndNewlines) == "[]"
      let before = isEmpty ? "" : text.hasSuffix("\n") || text.isEmpty ? text : text + "\n"
      let old = try builtIn.adding(yaml: text, path: catalogue)
      let new: ModelCatalogue
      do {
        new = try builtIn.adding(yaml: before + added, path: catalogue)
      } catch let error as ModelFileError {
        guard case .malformed(_, "text", _, _) = error else { throw error }
        throw unusualForm(catalogue, instead: "add \(item.replacing("\n", with: " "))")
      }
      guard new.entries == old.entries, new.local.dropLast() == old.local[...],
        new.local.last?.name == name, new.local.last?.path == file
      else { throw unusualForm(catalogue, instead: "add \(item.replacing("\n", with: " "))") }
      return before + added
    }
    return LocalModel(name: name, path: file)
  }

  /// Takes a model of the user's own out of the catalogue again. Its files stay.
  /// - Throws: `ModelFileError` when the catalogue cannot be read or written.
  public static func remove(
    _ model: LocalModel, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws {
    let path = userPath(environment: environment)
    try edit(path) { text in
      let old = try builtIn.adding(yaml: text, path: path)
      guard case .sequence(let list)? = try Yams.compose(yaml: text),
        let index = list.firstIndex(where: { $0.mapping?["name"]?.string == model.name }),
        let first = list[index].mark?.line
      else { throw unusualForm(path, instead: "take '\(model.name)' out") }
      var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      var end = index + 1 < list.count ? list[index + 1].mark?.line ?? first : lines.count + 1
      // Blank lines and comments below a model are the next one's.
      while end > first + 1, lines[end - 2].contains(/^ *(#|$)/) { end -= 1 }
      lines.removeSubrange(first - 1..<end - 1)
      let rest = lines.joined(separator: "\n")
      let new = try? builtIn.adding(yaml: rest, path: path)
      guard let new, new.entries == old.entries, new.local == old.local.filter({ $0 != model })
      else { throw unusualForm(path, instead: "take '\(model.name)' out") }
      return rest
    }
  }

  /// Changes the text of a catalogue, one process at a time.
  private static func edit(_ path: String, _ change: (String) throws -> String) throws {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw ModelFileError.unreadable(path: folder, reason: error.localizedDescription)
    }
    let lock = try FileLock(path: "\(path).lock") {}
    try withExtendedLifetime(lock) {
      let text = FileManager.default.fileExists(atPath: path) ? try text(ofCatalogueAt: path) : ""
      try AtomicFile.write(Data(change(text).utf8), to: path)
    }
  }

  private static func unusualForm(_ path: String, instead: String) -> ModelFileError {
    .malformed(
      path: path, field: "text", expected: "a list with each model on lines of its own",
      found: "another form, which you have to change yourself: \(instead)")
  }
}
