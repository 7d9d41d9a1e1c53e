/// A model that lies somewhere on this machine and has a name in the user's catalogue.
public struct LocalModel: Sendable, Equatable {
  /// What the user calls it; upper and lower case are the same.
  public var name: String
  /// Other names for it.
  public var aliases: [String]
  /// Of a GGUF file, or of a folder with `config.json` and `*.safetensors`.
  public var path: String
  public var licence: String?
  /// A line for people: what the model is for.
  public var description: String?
  public var categories: [String]

  public init(
    name: String, aliases: [String] = [], path: String, licence: String? = nil,
    description: String? = nil, categories: [String] = []
  ) {
    self.name = name
    self.aliases = aliases
    self.path = path
    self.licence = licence
    self.description = description
    self.categories = categories
  }
}

/// What a name that is no path means.
public enum NamedModel: Sendable, Equatable {
  /// A model of the catalogue, which is fetched into the cache.
  case catalogued(CatalogueEntry)
  /// A model of the user's own.
  case local(LocalModel)
  /// A model of the Hugging Face hub.
  case hub(HubReference)

  public var name: String {
    switch self {
    case .catalogued(let entry): entry.name
    case .local(let model): model.name
    case .hub(let reference): reference.description
    }
  }

  /// Groups that it belongs to.
  public var categories: [String] {
    switch self {
    case .catalogued(let entry): entry.categories
    case .local(let model): model.categories
    case .hub: []
    }
  }
}

extension ModelCatalogue {
  /// What a name means: a name of the catalogue, or one of the hub, `hf:OWNER/REPO/FILE`.
  /// - Throws: `ModelFileError`: `.unknownModel`, `.malformed` for a hub's name of another form.
  public func model(named name: String) throws -> NamedModel {
    if name.hasPrefix(HubReference.scheme) { return .hub(try HubReference(name)) }
    let wanted = name.lowercased()
    if let model = local.first(where: { $0.names.contains { $0.lowercased() == wanted } }) {
      return .local(model)
    }
    return .catalogued(try entry(named: name))
  }
}
