import Foundation
import ModelFiles

/// Where a model's configuration and tensor names come from.
public enum ModelFormat: Sendable, Equatable {
  /// GGUF metadata.
  case gguf
  /// `config.json` beside safetensors.
  case huggingFace
}

/// A model's configuration as its files state it: named values, read with checks.
///
/// A nested JSON object's fields have dotted names, such as `rope_scaling.factor`.
public struct ConfigurationFields: Sendable {
  public let format: ModelFormat
  /// What errors call the source.
  public let file: String
  private var values: [String: Value]
  /// The fields that say null, which is not always the same as to say nothing.
  private var nulls: Set<String> = []

  private enum Value: Sendable {
    case int(Int)
    case float(Double)
    case bool(Bool)
    case string(String)
    case strings([String])
    case ints([Int])
    case other
  }

  /// The metadata of a GGUF file.
  public init(metadata: [String: GGUFValue], file: String) {
    format = .gguf
    self.file = file
    values = metadata.mapValues {
      switch $0 {
      case .int(let value): .int(value)
      case .float(let value): .float(value)
      case .bool(let value): .bool(value)
      case .string(let value): .string(value)
      default: .other
      }
    }
  }

  /// The text of a `config.json`.
  /// - Throws: `LanguageModelError.unreadable` when it is no JSON object.
  public init(json: Data, file: String) throws {
    format = .huggingFace
    self.file = file
    let value: JSONValue
    do {
      value = try JSONDecoder().decode(JSONValue.self, from: json)
    } catch {
      throw LanguageModelError.unreadable(file: file, reason: "expected JSON, found other text")
    }
    guard case .object(let object) = value else {
      throw LanguageModelError.unreadable(file: file, reason: "expected a JSON object")
    }
    values = [:]
    flatten(object, prefix: "")
  }

  private mutating func flatten(_ object: [String: JSONValue], prefix: String) {
    for (key, value) in object {
      switch value {
      case .null: nulls.insert(prefix + key)
      case .object(let inner): flatten(inner, prefix: prefix + key + ".")
      case .int(let value): values[prefix + key] = .int(value)
      case .float(let value): values[prefix + key] = .float(value)
      case .bool(let value): values[prefix + key] = .bool(value)
      case .string(let value): values[prefix + key] = .string(value)
      case .array(let elements):
        let strings = elements.compactMap(\.string)
        let ints = elements.compactMap(\.int)
        values[prefix + key] =
          strings.count == elements.count
          ? .strings(strings) : ints.count == elements.count ? .ints(ints) : .other
      }
    }
  }

  /// Whether the field is there and not null.
  public func has(_ field: String) -> Bool { values[field] != nil }

  /// Whether the field is there and says null.
  public func isNull(_ field: String) -> Bool { nulls.contains(field) }

  /// Whether the field is there and neither false nor zero.
  public func isSet(_ field: String) -> Bool {
    switch values[field] {
    case nil, .bool(false), .int(0), .float(0): false
    default: true
    }
  }

  /// The same fields with values for those that are not said at all.
  func filled(with defaults: [String: Int]) -> ConfigurationFields {
    var filled = self
    for (field, value) in defaults where !has(field) && !isNull(field) {
      filled.values[field] = .int(value)
    }
    return filled
  }

  /// The names of all fields of a nested object, in order, as within it.
  func names(within object: String) -> [String] {
    values.keys.filter { $0.hasPrefix(object + ".") }
      .map { String($0.dropFirst(object.count + 1)) }.sorted()
  }

  /// An integer within `range`. A missing field is an error unless there is a `fallback`.
  public func int(
    _ field: String, in range: ClosedRange<Int>, default fallback: Int? = nil
  ) throws -> Int {
    let expected = "an integer from \(range.lowerBound) to \(range.upperBound)"
    guard let value = values[field] else {
      if let fallback { return fallback }
      throw LanguageModelError.missingField(file: file, field: field, expected: expected)
    }
    guard case .int(let number) = value, range.contains(number) else {
      throw invalid(field, expected: expected)
    }
    return number
  }

  /// A positive, finite number.
  public func positive(_ field: String, default fallback: Double? = nil) throws -> Double {
    guard let value = values[field] else {
      if let fallback { return fallback }
      throw LanguageModelError.missingField(
        file: file, field: field, expected: "a positive number")
    }
    let number: Double
    switch value {
    case .int(let integer): number = Double(integer)
    case .float(let double): number = double
    default: throw invalid(field, expected: "a positive number")
    }
    guard number > 0, number.isFinite else { throw invalid(field, expected: "a positive number") }
    return number
  }

  public func bool(_ field: String, default fallback: Bool) throws -> Bool {
    guard let value = values[field] else { return fallback }
    guard case .bool(let bool) = value else { throw invalid(field, expected: "true or false") }
    return bool
  }

  public func string(_ field: String) throws -> String? {
    guard let value = values[field] else { return nil }
    guard case .string(let string) = value else { throw invalid(field, expected: "a string") }
    return string
  }

  public func strings(_ field: String) throws -> [String]? {
    guard let value = values[field] else { return nil }
    guard case .strings(let strings) = value else {
      throw invalid(field, expected: "an array of strings")
    }
    return strings
  }

  public func ints(_ field: String) throws -> [Int]? {
    guard let value = values[field] else { return nil }
    guard case .ints(let ints) = value else {
      throw invalid(field, expected: "an array of integers")
    }
    return ints
  }

  /// The fields of a nested object, named as within it; nil when there are none.
  public func within(_ object: String) -> ConfigurationFields? {
    var inner = self
    inner.values = [:]
    inner.nulls = []
    for name in names(within: object) { inner.values[name] = values["\(object).\(name)"] }
    return inner.values.isEmpty ? nil : inner
  }

  /// Refuses a file whose `field` asks for something that no block here computes.
  public func require(_ field: String, oneOf supported: [String]) throws {
    guard let found = try string(field) else { return }
    guard supported.contains(found) else {
      throw invalid(field, expected: supported.map { "'\($0)'" }.joined(separator: " or "))
    }
  }

  /// Refuses a file whose `field` is there and neither false nor zero.
  public func requireAbsent(_ field: String) throws {
    guard !isSet(field) else {
      throw invalid(field, expected: "none (this feature is not supported)")
    }
  }

  /// Refuses a file whose `field` is there and not 1.
  public func requireOne(_ field: String, _ feature: String) throws {
    guard try positive(field, default: 1) == 1 else {
      throw invalid(field, expected: "1 (\(feature) is not supported)")
    }
  }

  /// The error that `field` is not what it should be.
  public func invalid(_ field: String, expected: String) -> LanguageModelError {
    let found =
      switch values[field] {
      case nil: "nothing"
      case .int(let value): "\(value)"
      case .float(let value): "\(value)"
      case .bool(let value): "\(value)"
      case .string(let value): "'\(value.prefix(80))'"
      default: "an array"
      }
    return .invalidField(file: file, field: field, expected: expected, found: found)
  }
}

/// JSON as `config.json` uses it.
private enum JSONValue: Decodable {
  case null
  case int(Int)
  case float(Double)
  case bool(Bool)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let bool = try? container.decode(Bool.self) {
      self = .bool(bool)
    } else if let int = try? container.decode(Int.self) {
      self = .int(int)
    } else if let double = try? container.decode(Double.self) {
      self = .float(double)
    } else if let string = try? container.decode(String.self) {
      self = .string(string)
    } else if let array = try? container.decode([JSONValue].self) {
      self = .array(array)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  var int: Int? {
    if case .int(let int) = self { int } else { nil }
  }

  var string: String? {
    if case .string(let string) = self { string } else { nil }
  }
}
