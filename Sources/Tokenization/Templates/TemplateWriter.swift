/// Writes values as text: as Python prints them, or as `json.dumps` does. Bounded, since a value
/// can hold the same value many times.
struct TemplateWriter {
  private(set) var text = ""
  private let limit: Int
  private let indent: Int?
  private(set) var isFull = false

  init(limit: Int, indent: Int? = nil) {
    self.limit = limit
    self.indent = indent
  }

  private mutating func add(_ part: some StringProtocol) {
    if text.utf8.count + part.utf8.count > limit {
      isFull = true
    } else {
      text += part
    }
  }

  /// Python's `str`.
  mutating func print(_ value: TemplateValue) {
    switch value {
    case .undefined: break
    case .string(let string): add(string)
    default: represent(value)
    }
  }

  /// Python's `repr`.
  mutating func represent(_ value: TemplateValue) {
    guard !isFull else { return }
    switch value {
    case .undefined: add("Undefined")
    case .none: add("None")
    case .bool(let value): add(value ? "True" : "False")
    case .integer(let value): add(String(value))
    case .number(let value): add(value.description)
    case .string(let string):
      let quote = string.contains("'") && !string.contains("\"") ? "\"" : "'"
      var quoted = quote
      for scalar in string.unicodeScalars {
        switch scalar {
        case "\\": quoted += "\\\\"
        case "\n": quoted += "\\n"
        case "\r": quoted += "\\r"
        case "\t": quoted += "\\t"
        case "'" where quote == "'": quoted += "\\'"
        default: quoted.unicodeScalars.append(scalar)
        }
      }
      add(quoted + quote)
    case .array(let elements):
      add("[")
      for (index, element) in elements.enumerated() where !isFull {
        if index > 0 { add(", ") }
        represent(element)
      }
      add("]")
    case .object(let object), .namespace(let object):
      add("{")
      for (index, member) in object.members.enumerated() where !isFull {
        if index > 0 { add(", ") }
        represent(.string(member.name))
        add(": ")
        represent(member.value)
      }
      add("}")
    }
  }

  /// `json.dumps(value, ensure_ascii=False, indent=indent)`.
  /// - Returns: whether the value is JSON.
  mutating func json(_ value: TemplateValue, depth: Int = 0) -> Bool {
    guard !isFull else { return true }
    switch value {
    case .undefined, .namespace: return false
    case .none: add("null")
    case .bool(let value): add(value ? "true" : "false")
    case .integer(let value): add(String(value))
    case .number(let value): add(value.description)
    case .string(let string): quote(string)
    case .array(let elements):
      add("[")
      for (index, element) in elements.enumerated() where !isFull {
        separate(index, depth + 1)
        guard json(element, depth: depth + 1) else { return false }
      }
      close("]", isEmpty: elements.isEmpty, depth)
    case .object(let object):
      add("{")
      for (index, member) in object.members.enumerated() where !isFull {
        separate(index, depth + 1)
        quote(member.name)
        add(": ")
        guard json(member.value, depth: depth + 1) else { return false }
      }
      close("}", isEmpty: object.names.isEmpty, depth)
    }
    return true
  }

  private mutating func separate(_ index: Int, _ depth: Int) {
    if let indent {
      add((index > 0 ? ",\n" : "\n") + String(repeating: " ", count: indent * depth))
    } else if index > 0 {
      add(", ")
    }
  }

  private mutating func close(_ bracket: String, isEmpty: Bool, _ depth: Int) {
    if let indent, !isEmpty { add("\n" + String(repeating: " ", count: indent * depth)) }
    add(bracket)
  }

  private mutating func quote(_ string: String) {
    var quoted = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case "\u{8}": quoted += "\\b"
      case "\u{c}": quoted += "\\f"
      case "\0"..<" ":
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    add(quoted + "\"")
  }
}
