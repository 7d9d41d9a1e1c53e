import Foundation
import Yams

/// The sizes and losses of one kind of drafter.
public protocol DrafterConfiguration: Codable, Sendable, Equatable {
  /// Whether it learns from the target's states; if not, texts will do.
  var usesStates: Bool { get }
  /// - Throws: `TrainingError.setting`, naming the first setting that makes no sense.
  func check() throws
}

extension DrafterConfiguration {
  public var usesStates: Bool { true }
}

/// All that a configuration file of `nunchi train` can say.
///
///     drafter:
///       steps: 3
///     coverage: 0.98
///     data:
///       prompts: 800
///     run:
///       steps: 2000
///       learningRate: 1e-3
public struct TrainingConfiguration<Drafter: DrafterConfiguration>: Codable, Sendable, Equatable {
  /// The drafter's sizes and losses.
  public var drafter: Drafter
  /// The share of the target's text that the drafter's tokens make up, from 0 to 1; 1 lets it
  /// propose every token.
  public var coverage = 0.96
  /// How often training sees all data; 0: as often as `run.steps` brings about.
  public var epochs = 4.0
  public var data = DataConfiguration()
  public var validation = ValidationConfiguration()
  public var run = RunConfiguration()

  public init(drafter: Drafter) {
    self.drafter = drafter
  }

  public func check() throws {
    try drafter.check()
    try checkRange("coverage", coverage, 0.01...1)
    try checkRange("epochs", epochs, 0...10_000)
    try data.check()
    try validation.check()
    try run.check()
  }
}

/// Where training data come from when none are given: the target answers prompts.
public struct DataConfiguration: Codable, Sendable, Equatable {
  /// Prompts that are drawn from the target itself.
  public var prompts = 600
  /// Answers that a prompt gets, one for each temperature.
  public var temperatures = [0.0, 0.7]
  /// Tokens of an answer at most.
  public var answerTokens = 256
  /// Answers that are decoded together.
  public var batch = 16

  public init() {}

  func check() throws {
    try checkRange("data.prompts", prompts, 1...10_000_000)
    try checkRange("data.answerTokens", answerTokens, 8...65_536)
    try checkRange("data.batch", batch, 1...256)
    guard !temperatures.isEmpty else {
      throw TrainingError.setting(
        name: "data.temperatures", expected: "at least one", found: "none")
    }
    for temperature in temperatures { try checkRange("data.temperatures", temperature, 0...10) }
  }
}

/// What drafters are measured on.
public struct ValidationConfiguration: Codable, Sendable, Equatable {
  /// The share of documents that is held out.
  public var share = 0.05
  /// Tokens that a validation looks at, at most.
  public var tokens = 8192
  /// Held-out prompts that are decoded with the drafter; 0: none.
  public var prompts = 8
  /// Tokens of each of their answers.
  public var answerTokens = 96
  /// The draft length then.
  public var draftLength = 4

  public init() {}

  func check() throws {
    try checkRange("validation.share", share, 0.001...0.5)
    try checkRange("validation.tokens", tokens, 64...10_000_000)
    try checkRange("validation.prompts", prompts, 0...1000)
    try checkRange("validation.answerTokens", answerTokens, 8...4096)
    try checkRange("validation.draftLength", draftLength, 1...32)
  }
}

extension TrainingConfiguration {
  /// Reads a file; what it leaves out stays as it is here.
  /// - Throws: `TrainingError`, naming the key, for one that is unknown or has a wrong value.
  public mutating func read(yamlFile path: String) throws {
    let text: String
    do {
      text = try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw TrainingError.file(path: path, reason: "expected a readable file, found none")
    }
    try read(yaml: text, path: path)
  }

  mutating func read(yaml text: String, path: String) throws {
    let defaults = try Yams.compose(yaml: YAMLEncoder().encode(self))
    let given: Node?
    do {
      given = try Yams.compose(yaml: text)
    } catch {
      throw TrainingError.file(path: path, reason: "expected YAML, found: \(error)")
    }
    guard let given, let defaults else { return }
    let merged = try Self.merged(defaults, given, at: [], path: path)
    do {
      self = try YAMLDecoder().decode(Self.self, from: Yams.serialize(node: merged))
    } catch let error as DecodingError {
      throw TrainingError(error, path: path)
    }
    try check()
  }

  /// The defaults with what is given in their places.
  private static func merged(
    _ defaults: Node, _ given: Node, at keys: [String], path: String
  ) throws -> Node {
    guard case .mapping(var result) = defaults else { return given }
    let name = keys.isEmpty ? "the whole" : keys.joined(separator: ".")
    guard case .mapping(let mapping) = given else {
      throw TrainingError.field(
        path: path, field: name, expected: "keys and values", found: "something else")
    }
    let known = result.keys.compactMap(\.string)
    for (key, value) in mapping {
      guard let text = key.string, let old = result[key] else {
        throw TrainingError.field(
          path: path, field: name, expected: known.joined(separator: ", "),
          found: key.string ?? "a key that is no text")
      }
      result[key] = try merged(old, value, at: keys + [text], path: path)
    }
    return .mapping(result)
  }
}

extension TrainingError {
  /// What a decoder found wrong in a file.
  init(_ error: DecodingError, path: String) {
    func field(_ context: DecodingError.Context) -> String {
      context.codingPath.map(\.stringValue).joined(separator: ".")
    }
    switch error {
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      self = .field(path: path, field: field(context), expected: "\(type)", found: "another kind")
    case .dataCorrupted(let context):
      self = .field(
        path: path, field: field(context), expected: "a value that fits",
        found: context.debugDescription)
    case .keyNotFound(let key, let context):
      self = .field(
        path: path, field: field(context), expected: key.stringValue, found: "nothing")
    @unknown default:
      self = .file(path: path, reason: "\(error)")
    }
  }
}
