import Foundation

/// The models that can be named: the built-in ones and the user's own.
public struct ModelCatalogue: Sendable {
  /// Those that are fetched into the cache.
  public let entries: [CatalogueEntry]
  /// Those of the user's own, which stay where they are.
  public let local: [LocalModel]

  init(entries: [CatalogueEntry], local: [LocalModel] = []) {
    self.entries = entries
    self.local = local
  }

  /// The built-in models and those of the user's catalogue, if there is one: the file that
  /// `NUNCHI_CATALOGUE` names, or `~/.config/nunchi/models.yaml`.
  /// - Throws: `ModelFileError` when the user's catalogue cannot be read or is not valid.
  public static func standard(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> ModelCatalogue {
    let path = userPath(environment: environment)
    let isNamed = environment["NUNCHI_CATALOGUE"].map { !$0.isEmpty } ?? false
    return isNamed || FileManager.default.fileExists(atPath: path)
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
      name: name, near: names(like: wanted), known: (local.map(\.name) + entries.map(\.name)))
  }

  /// The models of a category, whose name may be written in upper case and with `_` for `-`.
  /// - Throws: `ModelFileError.unknownCategory` when there is none.
  public func models(inCategory category: String) throws -> [NamedModel] {
    func plain(_ name: String) -> String { name.lowercased().replacing("_", with: "-") }
    let all = entries.map(NamedModel.catalogued) + local.map(NamedModel.local)
    let found = all.filter { $0.categories.contains { plain($0) == plain(category) } }
    guard !found.isEmpty else {
      throw ModelFileError.unknownCategory(
        name: category, known: Set(all.flatMap(\.categories)).sorted())
    }
    return found
  }

  private func names(like wanted: String) -> [String] {
    let limit = max(2, wanted.count / 3)
    let ranked = (local.map(\.names) + entries.map(\.names)).compactMap {
      names -> (name: String, distance: Int)? in
      let distances = names.map { name in
        let name = name.lowercased()
        let contained = wanted.count >= 3 && (name.contains(wanted) || wanted.contains(name))
        return contained ? 0 : editDistance(name, wanted)
      }
      guard let distance = distances.min(), distance <= limit else { return nil }
      return (names[0], distance)
    }
    return ranked.sorted { $0.distance < $1.distance }.prefix(3).map(\.name)
  }
}

extension CatalogueEntry {
  var names: [String] { [name] + aliases }
}

extension LocalModel {
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
