import Foundation

/// How one value is written: what stands between `%` and its letter, or after `:` in braces.
private struct TemplateFormat {
  var fill: Unicode.Scalar = " "
  var align: Unicode.Scalar?
  var sign: Unicode.Scalar = "-"
  /// `#`
  var isAlternate = false
  var width = 0
  /// `,` or `_` between groups of digits.
  var grouping: Unicode.Scalar?
  var precision: Int?
  var letter: Unicode.Scalar?
}

/// Python's `text % values` and `text.format(values)`.
extension TemplateInterpreter {
  private static let widest = 100_000
  private static let mostDecimals = 300

  // MARK: Percent

  func formatted(_ text: String, with values: TemplateValue) throws -> String {
    var positional = [values][...]
    if case .tuple(let several) = values { positional = several[...] }
    var isNamed = false
    func next() throws -> TemplateValue {
      guard let value = positional.popFirst() else { throw fail("a value for each \"%\"", "fewer") }
      return value
    }
    var result = ""
    var rest = text.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      try step(scalar == "%" ? 1 + result.utf8.count / 4_096 : 0)
      guard scalar == "%" else {
        result.unicodeScalars.append(scalar)
        continue
      }
      var format = TemplateFormat()
      format.align = ">"
      var named: TemplateValue?
      if rest.first == "(" {
        guard let end = rest.firstIndex(of: ")"), case .object(let object) = values else {
          throw fail("a mapping for \"%(name)\"", values.kind)
        }
        let name = String(rest[rest.index(after: rest.startIndex)..<end])
        guard let value = object[name] else { throw fail("a value of \"\(name)\"", "nothing") }
        named = value
        isNamed = true
        rest = rest[rest.index(after: end)...]
      }
      var isLeft = false
      while let flag = rest.first, "-+ #0".unicodeScalars.contains(flag) {
        rest.removeFirst()
        switch flag {
        case "-": isLeft = true
        case "+": format.sign = "+"
        case " ": if format.sign != "+" { format.sign = " " }
        case "#": format.isAlternate = true
        default: (format.fill, format.align) = ("0", "=")
        }
      }
      func number() throws -> Int? {
        if rest.first == "*" {
          rest.removeFirst()
          guard let count = try next().integer else {
            throw fail("an integer for \"*\"", "another")
          }
          return count
        }
        return try digits(&rest)
      }
      let width = try number() ?? 0
      if width < 0 { isLeft = true }
      format.width = Swift.abs(max(width, -Self.widest))
      if rest.first == "." {
        rest.removeFirst()
        format.precision = max(try number() ?? 0, 0)
      }
      if isLeft { (format.fill, format.align) = (" ", "<") }
      while let size = rest.first, "hlL".unicodeScalars.contains(size) { rest.removeFirst() }
      guard let letter = rest.popFirst() else { throw fail("a letter after \"%\"", "the end") }
      if letter == "%" {
        result += "%"
        continue
      }
      result += try percent(letter, try named ?? next(), format)
      _ = try checked(result)
    }
    if case .object = values { return result }
    guard positional.isEmpty || isNamed else {
      throw fail("as many values as \"%\"", "\(positional.count) more")
    }
    return result
  }

  private func percent(
    _ letter: Unicode.Scalar, _ value: TemplateValue, _ format: TemplateFormat
  ) throws -> String {
    var format = format
    switch letter {
    case "s", "r", "a", "c":
      if format.align == "=" { (format.fill, format.align) = (" ", ">") }
      if letter == "c" {
        format.precision = nil
        if let code = value.integer {
          guard let scalar = UInt32(exactly: code).flatMap({ Unicode.Scalar($0) }) else {
            throw fail("a character's code", "\(code)")
          }
          return try text(String(scalar), in: format)
        }
        guard case .string(let text) = value, text.unicodeScalars.count == 1 else {
          throw fail("one character for \"%c\"", value.kind)
        }
      }
      return try text(letter == "s" || letter == "c" ? text(of: value) : quoted(value), in: format)
    case "d", "i", "u", "x", "X", "o":
      var value = value
      if case .number(let number) = value, "diu".unicodeScalars.contains(letter) {
        guard Swift.abs(number) < 9.2e18 else { throw fail("an integer of 64 bits", "\(number)") }
        value = .integer(Int(number))
      }
      guard let integer = value.integer else {
        throw fail("a number for \"%\(letter)\"", value.kind)
      }
      format.letter = "diu".unicodeScalars.contains(letter) ? "d" : letter
      return try number(integer, in: format)
    case "e", "E", "f", "F", "g", "G":
      guard let double = value.double else { throw fail("a number for \"%\(letter)\"", value.kind) }
      format.letter = letter
      return try number(double, in: format)
    default: throw fail("one of the letters of \"%\"", "\"%\(letter)\"")
    }
  }

  private func quoted(_ value: TemplateValue) throws -> String {
    var writer = TemplateWriter(limit: Self.mostBytes)
    writer.represent(value)
    return try checked(writer.text)
  }

  private func digits(_ rest: inout Substring.UnicodeScalarView) throws -> Int? {
    var digits = ""
    while let digit = rest.first, ("0"..."9").contains(digit) {
      digits.unicodeScalars.append(digit)
      rest.removeFirst()
    }
    guard !digits.isEmpty else { return nil }
    guard let count = Int(digits), count <= Self.widest else {
      throw fail("a width of at most \(Self.widest)", digits)
    }
    return count
  }

  // MARK: Braces

  func formatted(
    _ text: String, _ positional: [TemplateValue],
    _ named: [(name: String, value: TemplateValue)]
  ) throws -> String {
    var next = 0
    return try braces(text, positional, named, &next, depth: 2)
  }

  private func braces(
    _ text: String, _ positional: [TemplateValue],
    _ named: [(name: String, value: TemplateValue)], _ next: inout Int, depth: Int
  ) throws -> String {
    guard depth > 0 else { throw fail("braces within braces, once", "deeper ones") }
    var result = ""
    var rest = text.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      guard scalar == "{" || scalar == "}" else {
        result.unicodeScalars.append(scalar)
        continue
      }
      try step(1 + result.utf8.count / 4_096)
      if rest.first == scalar {
        rest.removeFirst()
        result.unicodeScalars.append(scalar)
        continue
      }
      guard scalar == "{" else { throw fail("\"{\" before \"}\"", "\"}\"") }
      var open = 1
      var field = String.UnicodeScalarView()
      while let inside = rest.popFirst() {
        open += inside == "{" ? 1 : inside == "}" ? -1 : 0
        if open == 0 { break }
        field.append(inside)
      }
      guard open == 0 else { throw fail("\"}\" after \"{\"", "the end of the text") }
      let colon = field.firstIndex(of: ":")
      var name = field[..<(colon ?? field.endIndex)]
      var conversion: Unicode.Scalar?
      if let mark = name.firstIndex(of: "!") {
        conversion = name[mark...].dropFirst().first
        guard conversion == "r" || conversion == "s" || conversion == "a",
          name[mark...].count == 2
        else { throw fail("!r, !s or !a", "\"\(String(name[mark...]))\"") }
        name = name[..<mark]
      }
      var value = try self.field(name, positional, named, &next)
      if let conversion {
        value = .string(try conversion == "s" ? self.text(of: value) : quoted(value))
      }
      let specification = try colon.map { colon in
        try braces(
          String(field[field.index(after: colon)...]), positional, named, &next, depth: depth - 1)
      }
      result += try self.text(of: value, by: specification ?? "")
      _ = try checked(result)
    }
    return result
  }

  /// `0.name[key]` in the values that are given.
  private func field(
    _ path: Substring.UnicodeScalarView, _ positional: [TemplateValue],
    _ named: [(name: String, value: TemplateValue)], _ next: inout Int
  ) throws -> TemplateValue {
    var rest = path
    let first = String(rest.prefix { $0 != "." && $0 != "[" })
    rest = rest.dropFirst(first.unicodeScalars.count)
    var value: TemplateValue
    if let index = first.isEmpty ? next : Int(first) {
      if first.isEmpty { next += 1 }
      guard positional.indices.contains(index) else { throw fail("a value \(index)", "fewer") }
      value = positional[index]
    } else {
      guard let found = named.first(where: { $0.name == first }) else {
        throw fail("a value of \"\(first)\"", "nothing")
      }
      value = found.value
    }
    while let mark = rest.popFirst() {
      if mark == "." {
        let name = String(rest.prefix { $0 != "." && $0 != "[" })
        rest = rest.dropFirst(name.unicodeScalars.count)
        value = try attribute(name, of: value)
      } else {
        let key = String(rest.prefix { $0 != "]" })
        rest = rest.dropFirst(key.unicodeScalars.count + 1)
        value = try item(Int(key).map { .integer($0) } ?? .string(key), of: value)
      }
    }
    return value
  }

  /// Python's `format(value, specification)`.
  private func text(of value: TemplateValue, by specification: String) throws -> String {
    if specification.isEmpty { return try text(of: value) }
    let format = try format(specification)
    switch value {
    case .string(let text):
      guard format.letter == nil || format.letter == "s", format.align != "=" else { break }
      return try self.text(text, in: format)
    case .bool, .integer:
      let integer = value.integer ?? 0
      if let letter = format.letter, "eEfFgG%".unicodeScalars.contains(letter) {
        return try number(Double(integer), in: format)
      }
      return try number(integer, in: format)
    case .number(let double):
      return try number(double, in: format)
    default: break
    }
    throw fail("a format of \(value.kind)", "\"\(specification)\"")
  }

  private func format(_ specification: String) throws -> TemplateFormat {
    var format = TemplateFormat()
    var rest = Substring(specification).unicodeScalars
    let aligns = "<>=^".unicodeScalars
    if let second = rest.dropFirst().first, aligns.contains(second), let first = rest.first {
      (format.fill, format.align) = (first, second)
      rest = rest.dropFirst(2)
    } else if let first = rest.first, aligns.contains(first) {
      format.align = first
      rest.removeFirst()
    }
    if let sign = rest.first, "+- ".unicodeScalars.contains(sign) {
      format.sign = sign
      rest.removeFirst()
    }
    if rest.first == "#" {
      format.isAlternate = true
      rest.removeFirst()
    }
    if rest.first == "0", format.align == nil { (format.fill, format.align) = ("0", "=") }
    format.width = try digits(&rest) ?? 0
    if rest.first == "," || rest.first == "_" { format.grouping = rest.removeFirst() }
    if rest.first == "." {
      rest.removeFirst()
      guard let count = try digits(&rest) else { throw fail("a precision after \".\"", "none") }
      format.precision = count
    }
    format.letter = rest.popFirst()
    guard rest.isEmpty else { throw fail("a format", "\"\(specification)\"") }
    return format
  }

  // MARK: Values

  private func text(_ text: String, in format: TemplateFormat) throws -> String {
    let kept = format.precision.map { String(text.unicodeScalars.prefix($0)) } ?? text
    return kept.padded(to: format.width, with: format.fill, align: format.align ?? "<")
  }

  private func number(_ integer: Int, in format: TemplateFormat) throws -> String {
    let bases: [Unicode.Scalar: (Int, String)] = [
      "d": (10, ""), "n": (10, ""), "x": (16, "0x"), "X": (16, "0X"), "o": (8, "0o"),
      "b": (2, "0b"),
    ]
    if format.letter == "c" {
      guard let scalar = UInt32(exactly: integer).flatMap({ Unicode.Scalar($0) }) else {
        throw fail("a character's code", "\(integer)")
      }
      return try text(String(scalar), in: format)
    }
    guard let (base, prefix) = bases[format.letter ?? "d"] else {
      throw fail("a format of integers", "\"\(format.letter.map(String.init) ?? "")\"")
    }
    var digits = String(integer.magnitude, radix: base, uppercase: format.letter == "X")
    if let least = format.precision { digits = digits.padded(to: least, with: "0", align: ">") }
    return placed(
      digits, prefix: format.isAlternate ? prefix : "", isNegative: integer < 0, format,
      group: base == 10 ? 3 : 4)
  }

  private func number(_ double: Double, in format: TemplateFormat) throws -> String {
    let letter = format.letter ?? "r"
    let precision = format.precision ?? 6
    guard precision <= Self.mostDecimals else {
      throw fail("a precision of at most \(Self.mostDecimals)", "\(precision)")
    }
    let size = Swift.abs(double)
    var digits: String
    switch letter {
    case "r" where format.precision == nil: digits = size.description
    case "r":
      digits = String(format: "%.\(max(precision, 1))g", size)
      if !digits.contains(where: { !$0.isNumber }) { digits += ".0" }
    case "e", "E", "f", "F", "g", "G":
      digits = String(format: "%\(format.isAlternate ? "#" : "").\(precision)\(letter)", size)
    case "%": digits = String(format: "%.\(precision)f", size * 100) + "%"
    default: throw fail("a format of numbers", "\"\(letter)\"")
    }
    return placed(digits, prefix: "", isNegative: double.sign == .minus, format, group: 3)
  }

  /// Digits with their sign, groups and fill.
  private func placed(
    _ digits: String, prefix: String, isNegative: Bool, _ format: TemplateFormat, group: Int
  ) -> String {
    var digits = digits
    if let grouping = format.grouping {
      let whole = digits.prefix { $0.isHexDigit }
      let rest = digits.dropFirst(whole.count)
      var grouped = ""
      for (index, digit) in whole.enumerated() {
        if index > 0, (whole.count - index) % group == 0 { grouped.unicodeScalars.append(grouping) }
        grouped.append(digit)
      }
      digits = grouped + rest
    }
    let sign = isNegative ? "-" : format.sign == "-" ? "" : String(format.sign)
    let head = sign + prefix
    if format.align == "=" {
      let width = format.width - head.unicodeScalars.count
      return head + digits.padded(to: width, with: format.fill, align: ">")
    }
    return (head + digits).padded(
      to: format.width, with: format.fill, align: format.align ?? ">")
  }
}
