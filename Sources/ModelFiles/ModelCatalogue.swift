import Foundation

/// The models that can be named: the built-in ones and the user's own.
public struct ModelCatalogue: Sendable {
  public let entries: [CatalogueEntry]

  /// The built-in models and those of the user's catalogue, if there is one: the file that
  /// `NUNCHI_CATALOGUE` names, or `~/.config/nunchi/models.yaml`.
  /// - Throws: `ModelFileError` when the user's catalogue cannot be read or is not valid.
  public static func standard(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> ModelCatalogue {
    if let path = environment["NUNCHI_CATALOGUE"], !path.isEmpty {
      return try builtIn.adding(catalogueAt: path)
    }
    let home = environment["HOME"] ?? NSHomeDirectory()
    let path = "\(home)/.config/nunchi/models.yaml"
    return FileManager.default.fileExists(atPath: path)
      ? try builtIn.adding(catalogueAt: path) : builtIn
  }

  /// The model of that name or alias; upper and lower case are the same.
  /// - Throws: `ModelFileError.unknownModel`, which lists the names that are like it.
  public func entry(named name: String) throws -> CatalogueEntry {
    let wanted = name.lowercased()
    if let entry = entries.first(where: { $0.names.contains { $0.lowercased() == wanted } }) {
      return entry
    }
    throw ModelFileError.unknownModel(
      name: name, near: names(like: wanted), known: entries.map(\.name))
  }

  /// The models of a category; upper and lower case are the same, and so are `-` and `_`.
  /// - Throws: `ModelFileError.unknownCategory` when there is none.
  public func entries(inCategory category: String) throws -> [CatalogueEntry] {
    func key(_ name: String) -> String {
      name.lowercased().replacingOccurrences(of: "_", with: "-")
    }
    let found = entries.filter { $0.categories.map(key).contains(key(category)) }
    guard !found.isEmpty else {
      throw ModelFileError.unknownCategory(
        name: category, known: Set(entries.flatMap(\.categories)).sorted())
    }
    return found
  }

  private func names(like wanted: String) -> [String] {
    let limit = max(2, wanted.count / 3)
    let ranked = entries.compactMap { entry -> (name: String, distance: Int)? in
      let distances = entry.names.map { name in
        let name = name.lowercased()
        let contained = wanted.count >= 3 && (name.contains(wanted) || wanted.contains(name))
        return contained ? 0 : editDistance(name, wanted)
      }
      guard let distance = distances.min(), distance <= limit else { return nil }
      return (entry.name, distance)
    }
    return ranked.sorted { $0.distance < $1.distance }.prefix(3).map(\.name)
  }
}

extension CatalogueEntry {
  var names: [String] { [name] + aliases }
}

/// Insertions, deletions and replacements that turn one string into the other (Levenshtein).
private func editDistance(_ left: String, _ right: String) -> Int {
  let right = Array(right)
  var row = Array(0...right.count)
  for (i, character) in left.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for j in right.indices {
      let replaced = diagonal + (character == right[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[right.count]
}
