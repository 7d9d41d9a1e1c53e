extension TemplateInterpreter {
  mutating func filter(
    _ name: String, _ value: TemplateValue, _ arguments: [TemplateValue],
    _ named: [String: TemplateValue]
  ) throws -> TemplateValue {
    try step()
    switch name {
    case "trim":
      let set = arguments.isEmpty ? nil : try text(of: arguments[0])
      return .string(try text(of: value).stripped(of: set, left: true, right: true))
    case "upper": return .string(try text(of: value).uppercased())
    case "lower": return .string(try text(of: value).lowercased())
    case "capitalize":
      let text = try text(of: value)
      return .string(text.prefix(1).uppercased() + text.dropFirst().lowercased())
    case "title":
      return .string(try titled(text(of: value)))
    case "string": return .string(try text(of: value))
    case "replace":
      guard arguments.count >= 2 else { throw fail("two texts for replace", "fewer") }
      let most = arguments.count > 2 ? arguments[2].integer ?? -1 : -1
      return .string(
        try replace(
          text(of: value), text(of: arguments[0]), text(of: arguments[1]), most: most))
    case "indent": return .string(try indented(value, arguments, named))
    case "escape", "e":
      var text = try text(of: value)
      for (old, new) in [
        ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;"), ("\"", "&#34;"),
      ] {
        text = try replace(text, old, new, most: -1)
      }
      return .string(text)
    case "safe": return value
    case "tojson": return .string(try json(value, arguments, named))
    case "default", "d":
      let usesTruth = (arguments.count > 1 ? arguments[1] : named["boolean"])?.isTrue ?? false
      if case .undefined = value { return arguments.first ?? "" }
      return usesTruth && !value.isTrue ? arguments.first ?? "" : value
    case "int":
      if let number = value.double, abs(number) < 9e18 { return .integer(Int(number)) }
      if case .string(let text) = value,
        let number = Int(text.stripped(of: nil, left: true, right: true))
      {
        return .integer(number)
      }
      return arguments.first ?? .integer(0)
    case "float":
      if let number = value.double { return .number(number) }
      if case .string(let text) = value, let number = Double(text) { return .number(number) }
      return arguments.first ?? .number(0)
    case "abs":
      if let number = value.integer, number != .min { return .integer(Swift.abs(number)) }
      guard let number = value.double else { throw fail("a number", value.kind) }
      return .number(Swift.abs(number))
    default:
      return try listFilter(name, value, arguments, named)
    }
  }

  private mutating func listFilter(
    _ name: String, _ value: TemplateValue, _ arguments: [TemplateValue],
    _ named: [String: TemplateValue]
  ) throws -> TemplateValue {
    switch name {
    case "length", "count":
      if case .string(let text) = value { return .integer(text.unicodeScalars.count) }
      return .integer(try elements(of: value).count)
    case "first": return try elements(of: value).first ?? .undefined
    case "last": return try elements(of: value).last ?? .undefined
    case "list": return .array(try elements(of: value))
    case "reverse":
      let reversed = Array(try elements(of: value).reversed())
      guard case .string = value else { return .array(reversed) }
      return .string(try reversed.map { try text(of: $0) }.joined())
    case "items", "dictsort":
      guard case .object(let object) = value else {
        if case .undefined = value { return .array([]) }
        throw fail("a mapping", value.kind)
      }
      let names =
        name == "items" ? object.names : object.names.sorted { $0.lowercased() < $1.lowercased() }
      return .array(names.map { .array([.string($0), object[$0] ?? .undefined]) })
    case "join":
      let separator = try arguments.first.map { try text(of: $0) } ?? ""
      let attribute = arguments.count > 1 ? arguments[1] : named["attribute"]
      let parts = try elements(of: value).map { element in
        try text(of: attribute.map { try attributeValue(element, $0) } ?? element)
      }
      return .string(try checked(parts.joined(separator: separator)))
    case "map":
      if let attribute = named["attribute"] {
        return .array(
          try elements(of: value).map { element in
            let found = try attributeValue(element, attribute)
            if case .undefined = found { return named["default"] ?? found }
            return found
          })
      }
      guard case .string(let filterName)? = arguments.first else {
        throw fail("a filter's name for map", "nothing")
      }
      let rest = Array(arguments.dropFirst())
      return .array(try elements(of: value).map { try filter(filterName, $0, rest, named) })
    case "select", "reject":
      return .array(
        try elements(of: value).filter { element in
          try holds(arguments[...], element) == (name == "select")
        })
    case "selectattr", "rejectattr":
      guard let attribute = arguments.first else { throw fail("a name for \(name)", "nothing") }
      return .array(
        try elements(of: value).filter { element in
          let found = try attributeValue(element, attribute)
          return try holds(arguments.dropFirst(), found) == (name == "selectattr")
        })
    case "unique":
      var kept: [TemplateValue] = []
      for element in try elements(of: value) {
        try step(kept.count)
        if !kept.contains(where: { $0.equals(element) }) { kept.append(element) }
      }
      return .array(kept)
    case "sort":
      let isReversed = (arguments.first ?? named["reverse"])?.isTrue ?? false
      let pairs = try elements(of: value).map { element in
        (element, try named["attribute"].map { try attributeValue(element, $0) } ?? element)
      }
      let sorted = try pairs.sorted { try isBefore($0.1, $1.1) }.map(\.0)
      return .array(isReversed ? sorted.reversed() : sorted)
    case "sum":
      return try elements(of: value).reduce(.integer(0)) { try apply("+", $0, $1) }
    default:
      throw fail("a filter", "\"\(name)\"")
    }
  }

  /// Jinja sorts strings without regard to case.
  private func isBefore(_ one: TemplateValue, _ two: TemplateValue) throws -> Bool {
    if case .string(let left) = one, case .string(let right) = two {
      return left.lowercased() < right.lowercased()
    }
    return try apply("<", one, two).isTrue
  }

  /// A member by name, which may be a path with dots.
  private func attributeValue(
    _ value: TemplateValue, _ attribute: TemplateValue
  ) throws -> TemplateValue {
    var result = value
    for part in try text(of: attribute).split(separator: ".") {
      let key = Int(part).map { TemplateValue.integer($0) } ?? .string(String(part))
      result = try member(
        of: result, key, of: TemplateExpression(kind: .literal(.none), line: line))
    }
    return result
  }

  /// Whether the test that `arguments` name holds; without one, whether the value is true.
  private mutating func holds(
    _ arguments: ArraySlice<TemplateValue>, _ value: TemplateValue
  ) throws -> Bool {
    guard let first = arguments.first else { return value.isTrue }
    return try test(text(of: first), value, Array(arguments.dropFirst()))
  }

  private func json(
    _ value: TemplateValue, _ arguments: [TemplateValue], _ named: [String: TemplateValue]
  ) throws -> String {
    // transformers' filter: (value, ensure_ascii, indent, separators, sort_keys).
    let indent = (named["indent"] ?? (arguments.count > 1 ? arguments[1] : nil))?.integer
    if let indent, !(0...64).contains(indent) { throw fail("an indent of 0 to 64", "\(indent)") }
    var writer = TemplateWriter(limit: Self.mostBytes, indent: indent)
    guard writer.json(value) else { throw fail("a value that JSON knows", value.kind) }
    guard !writer.isFull else { throw fail("at most \(Self.mostBytes) bytes of text", "more") }
    return writer.text
  }

  private func indented(
    _ value: TemplateValue, _ arguments: [TemplateValue], _ named: [String: TemplateValue]
  ) throws -> String {
    let width = (arguments.first ?? named["width"])?.integer ?? 4
    guard (0...64).contains(width) else { throw fail("a width of 0 to 64", "\(width)") }
    let indentsFirst = (arguments.count > 1 ? arguments[1] : named["first"])?.isTrue ?? false
    let space = String(repeating: " ", count: width)
    let lines = try text(of: value).split(by: "\n", most: -1, fromRight: false)
    let indented = lines.enumerated().map { index, line in
      line.isEmpty || (index == 0 && !indentsFirst) ? line : space + line
    }
    return try checked(indented.joined(separator: "\n"))
  }

  private func titled(_ text: String) -> String {
    var result = ""
    var isStart = true
    for character in text {
      result += isStart ? character.uppercased() : character.lowercased()
      isStart = !(character.isLetter || character.isNumber || character == "'")
    }
    return result
  }

  // MARK: Tests

  func test(
    _ name: String, _ value: TemplateValue, _ arguments: [TemplateValue]
  ) throws -> Bool {
    func argument() throws -> TemplateValue {
      guard let first = arguments.first else { throw fail("an argument of \"\(name)\"", "nothing") }
      return first
    }
    switch name {
    case "defined": if case .undefined = value { return false } else { return true }
    case "undefined": if case .undefined = value { return true } else { return false }
    case "none": if case .none = value { return true } else { return false }
    case "string": if case .string = value { return true } else { return false }
    case "boolean": if case .bool = value { return true } else { return false }
    case "true": if case .bool(true) = value { return true } else { return false }
    case "false": if case .bool(false) = value { return true } else { return false }
    case "integer": if case .integer = value { return true } else { return false }
    case "float": if case .number = value { return true } else { return false }
    case "number": return value.double != nil
    case "mapping": if case .object = value { return true } else { return false }
    case "sequence", "iterable":
      switch value {
      case .array, .string, .object: return true
      case .undefined: return true
      default: return false
      }
    case "callable": return false
    case "odd", "even":
      guard let number = value.integer else { throw fail("an integer", value.kind) }
      return (number % 2 == 0) == (name == "even")
    case "divisibleby":
      guard let number = value.integer, let divisor = try argument().integer, divisor != 0 else {
        throw fail("an integer and a divisor other than 0", value.kind)
      }
      return number % divisor == 0
    case "equalto", "eq", "==", "sameas": return value.equals(try argument())
    case "ne", "!=": return !value.equals(try argument())
    case "lt", "<", "lessthan": return try apply("<", value, argument()).isTrue
    case "gt", ">", "greaterthan": return try apply(">", value, argument()).isTrue
    case "le", "<=": return try apply("<=", value, argument()).isTrue
    case "ge", ">=": return try apply(">=", value, argument()).isTrue
    case "in": return try contains(argument(), value)
    case "lower":
      let text = try text(of: value)
      return text == text.lowercased() && text != text.uppercased()
    case "upper":
      let text = try text(of: value)
      return text == text.uppercased() && text != text.lowercased()
    default: throw fail("a test", "\"\(name)\"")
    }
  }
}
