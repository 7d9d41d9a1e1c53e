/// A value in a chat template: what JSON knows, and what Jinja adds.
public enum TemplateValue: Sendable {
  /// What an unknown name or member gives; prints as nothing.
  case undefined
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  /// A string that the filters `safe` and `escape` give: what is added to it is escaped, as in
  /// Jinja also where nothing else is.
  case markup(String)
  case array([TemplateValue])
  case tuple([TemplateValue])
  /// What a mapping's `keys()`, `values()` and `items()` give, with Python's name of the kind.
  case view(String, [TemplateValue])
  case object(TemplateObject)
  /// A function that templates know by its name.
  case function(String)
  /// A method with the value that it is of.
  indirect case method(TemplateValue, String)
  /// What a run of a template makes and may change: copies of it are the same thing.
  case reference(TemplateReference)
}

/// The place of a thing in its run's table. Nothing owns such a thing but the table, so that things
/// that hold one another neither leak nor end in a chain too deep to be freed.
public struct TemplateReference: Hashable, Sendable {
  enum Kind: String { case namespace, macro, loop, iterator, cycler, joiner }

  let kind: Kind
  let place: Int
}

/// Keys and values in the order in which they were added.
public struct TemplateObject: Sendable, ExpressibleByDictionaryLiteral {
  private(set) var members: [(key: TemplateValue, value: TemplateValue)] = []
  private var places: [TemplateKey: Int] = [:]

  public init() {}

  public init(dictionaryLiteral elements: (String, TemplateValue)...) {
    for (name, value) in elements { self[name] = value }
  }

  public var keys: [TemplateValue] { members.map(\.key) }

  public subscript(name: String) -> TemplateValue? {
    get { self[TemplateValue.string(name)] }
    set {
      if let newValue {
        _ = set(.string(name), newValue)
      } else {
        let kept = members.filter { !$0.key.equals(.string(name)) }
        self = Self()
        for (key, value) in kept { _ = set(key, value) }
      }
    }
  }

  public subscript(key: TemplateValue) -> TemplateValue? {
    TemplateKey(key).flatMap { places[$0] }.map { members[$0].value }
  }

  /// - Returns: whether the key is one that a mapping can have.
  mutating func set(_ key: TemplateValue, _ value: TemplateValue) -> Bool {
    guard let hashed = TemplateKey(key) else { return false }
    if let place = places[hashed] {
      members[place].value = value
    } else {
      places[hashed] = members.count
      members.append((key, value))
    }
    return true
  }
}

/// A value as the key of a mapping. As in Python, equal numbers are the same key, and strings are
/// told apart by their scalars.
enum TemplateKey: Hashable {
  case none
  case integer(Int)
  case number(Double)
  case string([UInt8])
  case tuple([TemplateKey])
  case function(String)
  case reference(TemplateReference)

  /// Nothing for what Python cannot hash, such as a list.
  init?(_ value: TemplateValue) {
    switch value {
    case .none: self = .none
    case .bool, .integer: self = .integer(value.integer ?? 0)
    case .number(let number): self = Int(exactly: number).map { .integer($0) } ?? .number(number)
    case .string(let text), .markup(let text): self = .string(Array(text.utf8))
    case .tuple(let elements):
      let keys = elements.compactMap { TemplateKey($0) }
      guard keys.count == elements.count else { return nil }
      self = .tuple(keys)
    case .function(let name): self = .function(name)
    case .reference(let reference): self = .reference(reference)
    case .undefined, .array, .view, .object, .method: return nil
    }
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
    case .string(let value), .markup(let value): !value.isEmpty
    case .array(let elements), .tuple(let elements), .view(_, let elements): !elements.isEmpty
    case .object(let object): !object.members.isEmpty
    case .function, .method, .reference: true
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
    case .string, .markup: "a string"
    case .array: "a list"
    case .tuple: "a tuple"
    case .view(let name, _): name
    case .object: "a mapping"
    case .function(let name): "the function \"\(name)\""
    case .method(_, let name): "the method \"\(name)\""
    case .reference(let reference):
      (reference.kind == .iterator ? "an " : "a ") + reference.kind.rawValue
    }
  }

  /// Markup as the string that it is.
  var plain: TemplateValue { if case .markup(let text) = self { .string(text) } else { self } }

  /// A string, or a list of strings, as markup.
  var marked: TemplateValue {
    switch self {
    case .string(let text): .markup(text)
    case .array(let elements): .array(elements.map(\.marked))
    case .tuple(let elements): .tuple(elements.map(\.marked))
    default: self
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }
  var isNone: Bool { if case .none = self { true } else { false } }

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

  /// The parts of what has a length and an order; nothing of other values.
  var sequence: [TemplateValue]? {
    switch self {
    case .array(let elements), .tuple(let elements), .view(_, let elements): elements
    case .object(let object): object.keys
    case .string(let text), .markup(let text):
      text.unicodeScalars.map { .string(String($0)) }
    case .undefined: []
    default: nil
    }
  }

  /// Python's `==`: strings by their scalars, not by canonical equivalence.
  func equals(_ other: TemplateValue) -> Bool {
    switch (plain, other.plain) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let one), .string(let two)): return one.utf8.elementsEqual(two.utf8)
    case (.array(let one), .array(let two)), (.tuple(let one), .tuple(let two)),
      (.view(_, let one), .view(_, let two)):
      return one.count == two.count && zip(one, two).allSatisfy { $0.equals($1) }
    case (.object(let one), .object(let two)):
      return one.members.count == two.members.count
        && one.members.allSatisfy { key, value in two[key].map { value.equals($0) } ?? false }
    case (.function(let one), .function(let two)): return one == two
    case (.reference(let one), .reference(let two)): return one == two
    default:
      if let one = integer, let two = other.integer { return one == two }
      if let one = double, let two = other.double { return one == two }
      return false
    }
  }
}
