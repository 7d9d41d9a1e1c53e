/// A value in a chat template: what JSON knows, and Jinja's undefined.
public enum TemplateValue: Sendable {
  /// What an unknown name or member gives; prints as nothing.
  case undefined
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([TemplateValue])
  case object(TemplateObject)
  /// An object whose members `set` may change from within loops.
  case namespace(TemplateObject)
}

/// Names and values in the order in which they were added.
public struct TemplateObject: Sendable, ExpressibleByDictionaryLiteral {
  public private(set) var names: [String] = []
  private var values: [String: TemplateValue] = [:]

  public init() {}

  public init(dictionaryLiteral elements: (String, TemplateValue)...) {
    for (name, value) in elements { self[name] = value }
  }

  public subscript(name: String) -> TemplateValue? {
    get { values[name] }
    set {
      if let newValue {
        if values.updateValue(newValue, forKey: name) == nil { names.append(name) }
      } else if values.removeValue(forKey: name) != nil {
        names.removeAll { $0 == name }
      }
    }
  }

  var members: [(name: String, value: TemplateValue)] {
    names.map { ($0, values[$0] ?? .undefined) }
  }
}

extension TemplateValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
  ExpressibleByFloatLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(arrayLiteral elements: TemplateValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, TemplateValue)...) {
    var object = TemplateObject()
    for (name, value) in elements { object[name] = value }
    self = .object(object)
  }

  /// Reads a JSON document, such as the tools of a request.
  /// - Throws: `TokenizationError.malformedJSON`.
  public init(json: String) throws {
    var json = json
    self = Self(try json.withUTF8 { try JSONValue(parsing: $0) })
  }

  private init(_ value: JSONValue) {
    switch value {
    case .null: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .number(let value): self = .number(value)
    case .string(let bytes): self = .string(String(decoding: bytes, as: UTF8.self))
    case .array(let elements): self = .array(elements.map { Self($0) })
    case .object(let members):
      var object = TemplateObject()
      for (name, value) in members { object[String(decoding: name, as: UTF8.self)] = Self(value) }
      self = .object(object)
    }
  }
}

extension TemplateValue {
  /// Python's truth of a value.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .number(let value): value != 0
    case .string(let value): !value.isEmpty
    case .array(let elements): !elements.isEmpty
    case .object(let object): !object.names.isEmpty
    case .namespace: true
    }
  }

  /// What errors call it.
  var kind: String {
    switch self {
    case .undefined: "an undefined value"
    case .none: "none"
    case .bool: "a truth value"
    case .integer: "an integer"
    case .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "a mapping"
    case .namespace: "a namespace"
    }
  }

  var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }

  /// Truth values count as integers, as in Python.
  var integer: Int? {
    switch self {
    case .integer(let value): value
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }

  /// Python's `==`: strings by their scalars, not by canonical equivalence.
  func equals(_ other: TemplateValue) -> Bool {
    switch (self, other) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let one), .string(let two)): return one.utf8.elementsEqual(two.utf8)
    case (.array(let one), .array(let two)):
      return one.count == two.count && zip(one, two).allSatisfy { $0.equals($1) }
    case (.object(let one), .object(let two)):
      return one.names.count == two.names.count
        && one.members.allSatisfy { name, value in two[name].map { value.equals($0) } ?? false }
    default:
      if let one = integer, let two = other.integer { return one == two }
      if let one = double, let two = other.double { return one == two }
      return false
    }
  }
}
