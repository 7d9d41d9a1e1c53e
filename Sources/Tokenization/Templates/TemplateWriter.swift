/// Writes values as text: as Python prints them, or as `json.dumps` does. Bounded, since a value
/// can hold the same value many times.
struct TemplateWriter {
  /// `json.dumps`'s settings.
  struct Style {
    /// What one level is indented by; everything on one line without it.
    var indent: String?
    var itemSeparator = ", "
    var keySeparator = ": "
    var sortsKeys = false
    var isASCII = false
  }

  private(set) var text = ""
  private let limit: Int
  private let style: Style
  private(set) var isFull = false

  init(limit: Int, style: Style = Style()) {
    self.limit = limit
    self.style = style
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
    case .string(let string), .markup(let string): add(string)
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
    case .string(let string): add(Self.quoted(string))
    case .markup(let string): add("Markup(\(Self.quoted(string)))")
    case .array(let elements): represent(elements, "[", "]")
    case .tuple(let elements): represent(elements, "(", elements.count == 1 ? ",)" : ")")
    case .view(let name, let elements): represent(elements, "\(name)([", "])")
    case .object(let object):
      add("{")
      for (index, member) in object.members.enumerated() where !isFull {
        if index > 0 { add(", ") }
        represent(member.key)
        add(": ")
        represent(member.value)
      }
      add("}")
    case .function, .method, .reference: add("<\(value.kind)>")
    }
  }

  private mutating func represent(
    _ elements: [TemplateValue], _ opening: String, _ closing: String
  ) {
    add(opening)
    for (index, element) in elements.enumerated() where !isFull {
      if index > 0 { add(", ") }
      represent(element)
    }
    add(closing)
  }

  /// A string as Python's source has it.
  static func quoted(_ string: String) -> String {
    let quote: Unicode.Scalar =
      string.unicodeScalars.contains("'") && !string.unicodeScalars.contains("\"") ? "\"" : "'"
    var quoted = String(quote)
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case quote: quoted += "\\\(quote)"
      case _ where scalar.isPrintable: quoted.unicodeScalars.append(scalar)
      default:
        let (letter, digits) =
          scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
        quoted += "\\\(letter)" + hexadecimal(scalar.value, digits: digits)
      }
    }
    return quoted + String(quote)
  }

  private static func hexadecimal(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(digits - text.count, 0)) + text
  }

  /// `json.dumps(value)` in the writer's style.
  /// - Returns: whether the value is JSON.
  mutating func json(_ value: TemplateValue, depth: Int = 0) -> Bool {
    guard !isFull else { return true }
    switch value {
    case .array(let elements), .tuple(let elements):
      add("[")
      for (index, element) in elements.enumerated() where !isFull {
        separate(index, depth + 1)
        guard json(element, depth: depth + 1) else { return false }
      }
      close("]", isEmpty: elements.isEmpty, depth)
    case .object(let object):
      var members = object.members
      if style.sortsKeys {
        guard let sorted = Self.sorted(members) else { return false }
        members = sorted
      }
      add("{")
      for (index, member) in members.enumerated() where !isFull {
        separate(index, depth + 1)
        if case .string(let name) = member.key.plain {
          quote(name)
        } else {
          guard let name = Self.scalar(member.key) else { return false }
          quote(name)
        }
        add(style.keySeparator)
        guard json(member.value, depth: depth + 1) else { return false }
      }
      close("}", isEmpty: members.isEmpty, depth)
    case .string(let string), .markup(let string): quote(string)
    default:
      guard let text = Self.scalar(value) else { return false }
      add(text)
    }
    return true
  }

  /// How JSON writes none, a truth value or a number.
  private static func scalar(_ value: TemplateValue) -> String? {
    switch value {
    case .none: "null"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .number(let value):
      value.isNaN
        ? "NaN"
        : value.isInfinite
          ? (value < 0 ? "-Infinity" : "Infinity")
          : value.description
    default: nil
    }
  }

  /// By their keys: all strings, or all numbers.
  private static func sorted(
    _ members: [(key: TemplateValue, value: TemplateValue)]
  ) -> [(key: TemplateValue, value: TemplateValue)]? {
    let texts = members.compactMap { member -> String? in
      if case .string(let text) = member.key.plain { text } else { nil }
    }
    if texts.count == members.count {
      return zip(texts, members)
        .sorted { $0.0.unicodeScalars.lexicographicallyPrecedes($1.0.unicodeScalars) }.map(\.1)
    }
    let numbers = members.compactMap(\.key.double)
    guard numbers.count == members.count else { return nil }
    return zip(numbers, members).sorted { $0.0 < $1.0 }.map(\.1)
  }

  private mutating func separate(_ index: Int, _ depth: Int) {
    if index > 0 { add(style.itemSeparator) }
    if let indent = style.indent { add("\n" + String(repeating: indent, count: depth)) }
  }

  private mutating func close(_ bracket: String, isEmpty: Bool, _ depth: Int) {
    if let indent = style.indent, !isEmpty {
      add("\n" + String(repeating: indent, count: depth))
    }
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
      case "\0"..<" ": quoted += "\\u" + Self.hexadecimal(scalar.value, digits: 4)
      case "\u{7F}"... where style.isASCII:
        for unit in String(scalar).utf16 {
          quoted += "\\u" + Self.hexadecimal(UInt32(unit), digits: 4)
        }
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    add(quoted + "\"")
  }
}
