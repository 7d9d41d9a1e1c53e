/// A piece of a template: text, or what stands between `{{ }}` and `{% %}`.
struct TemplateToken: Equatable {
  enum Kind: Equatable {
    case text(String)
    case outputBegin
    case outputEnd
    case blockBegin
    case blockEnd
    case name(String)
    case string(String)
    case integer(Int)
    case number(Double)
    case symbol(String)
    case end
  }

  var kind: Kind
  var line: Int

  /// What errors call it.
  var shown: String {
    switch kind {
    case .text: "text"
    case .outputBegin: "\"{{\""
    case .outputEnd: "\"}}\""
    case .blockBegin: "\"{%\""
    case .blockEnd: "\"%}\""
    case .name(let name): "\"\(name)\""
    case .string(let string): "the string \"\(string.prefix(40))\""
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .symbol(let symbol): "\"\(symbol)\""
    case .end: "the end of the template"
    }
  }
}

/// Cuts Jinja source into tokens, with `trim_blocks` and `lstrip_blocks` on, as transformers sets
/// them.
struct TemplateLexer {
  private let source: [Unicode.Scalar]
  private var index = 0
  private var line = 1
  private var tokens: [TemplateToken] = []
  /// Of one `{{ }}` or `{% %}`: keeps expressions from nesting deeper than the stack.
  private static let mostTokens = 2_000

  static func tokens(of source: String) throws -> [TemplateToken] {
    var lexer = TemplateLexer(source)
    try lexer.run()
    return lexer.tokens
  }

  private init(_ text: String) {
    var scalars: [Unicode.Scalar] = []
    var wasReturn = false
    for scalar in text.unicodeScalars {
      if !(scalar == "\n" && wasReturn) { scalars.append(scalar == "\r" ? "\n" : scalar) }
      wasReturn = scalar == "\r"
    }
    // Jinja drops one newline at the end.
    if scalars.last == "\n" { scalars.removeLast() }
    source = scalars
  }

  private func peek(_ offset: Int = 0) -> Unicode.Scalar? {
    index + offset < source.count ? source[index + offset] : nil
  }

  private mutating func advance(_ count: Int = 1) {
    for _ in 0..<count where index < source.count {
      if source[index] == "\n" { line += 1 }
      index += 1
    }
  }

  private mutating func add(_ kind: TemplateToken.Kind) {
    tokens.append(TemplateToken(kind: kind, line: line))
  }

  private func fail(_ expected: String, _ found: String) -> TokenizationError {
    .template(line: line, expected: expected, found: found)
  }

  private mutating func run() throws {
    var isLineStart = true
    while index < source.count {
      var end = index
      while end < source.count, !isOpening(end) { end += 1 }
      var text = Array(source[index..<end])
      guard end < source.count else {
        add(.text(Self.string(text)))
        break
      }
      let mark = source[end + 1]
      let control: Unicode.Scalar? = end + 2 < source.count ? source[end + 2] : nil
      if control == "-" {
        while text.last?.properties.isWhitespace == true { text.removeLast() }
      } else if mark != "{" && control != "+" {
        stripIndentation(&text, isLineStart: isLineStart)
      }
      if !text.isEmpty { add(.text(Self.string(text))) }
      advance(end - index + 2)
      if control == "-" || (control == "+" && mark != "{") { advance() }
      switch mark {
      case "#": try skipComment()
      case "{": try readInside(end: "}")
      default:
        if let length = rawBegin() {
          advance(length)
          try readRaw()
        } else {
          try readInside(end: "%")
        }
      }
      isLineStart = index > 0 && source[index - 1] == "\n"
    }
    add(.end)
  }

  private func isOpening(_ at: Int) -> Bool {
    guard source[at] == "{", at + 1 < source.count else { return false }
    return source[at + 1] == "{" || source[at + 1] == "%" || source[at + 1] == "#"
  }

  /// Takes away what stands before a block on its line, if that is only whitespace.
  private func stripIndentation(_ text: inout [Unicode.Scalar], isLineStart: Bool) {
    let newline = text.lastIndex(of: "\n")
    guard newline != nil || isLineStart else { return }
    let start = newline.map { $0 + 1 } ?? 0
    if text[start...].allSatisfy({ $0.properties.isWhitespace }) { text.removeSubrange(start...) }
  }

  /// How long the rest of `{% raw %}` is, if that is the block at hand.
  private func rawBegin() -> Int? {
    guard var end = wordEnd("raw", from: index) else { return nil }
    let isTight = end < source.count && source[end] == "-"
    if isTight { end += 1 }
    guard source[end...].starts(with: "%}".unicodeScalars) else { return nil }
    end += 2
    if isTight { end = spaceEnd(from: end) }
    return end - index
  }

  /// Where the space after a word ends that follows space.
  private func wordEnd(_ word: String, from start: Int) -> Int? {
    let begin = spaceEnd(from: start)
    guard source[begin...].starts(with: word.unicodeScalars) else { return nil }
    return spaceEnd(from: begin + word.unicodeScalars.count)
  }

  private func spaceEnd(from start: Int) -> Int {
    var end = start
    while end < source.count, source[end].properties.isWhitespace { end += 1 }
    return end
  }

  /// Reads up to `{% endraw %}`: all of it is text.
  private mutating func readRaw() throws {
    let isLineStart = source[index - 1] == "\n"
    for start in index..<source.count where source[start...].starts(with: "{%".unicodeScalars) {
      let control: Unicode.Scalar? = start + 2 < source.count ? source[start + 2] : nil
      let isSigned = control == "-" || control == "+"
      guard let name = wordEnd("endraw", from: start + (isSigned ? 3 : 2)) else { continue }
      var end = name
      let sign: Unicode.Scalar? = end < source.count ? source[end] : nil
      if sign == "-" || sign == "+" { end += 1 }
      guard source[end...].starts(with: "%}".unicodeScalars) else { continue }
      var text = Array(source[index..<start])
      if control == "-" {
        while text.last?.properties.isWhitespace == true { text.removeLast() }
      } else if control != "+" {
        stripIndentation(&text, isLineStart: isLineStart)
      }
      if !text.isEmpty { add(.text(Self.string(text))) }
      advance(end + 2 - index)
      if sign == "-" {
        skipSpace()
      } else if sign != "+", peek() == "\n" {
        advance()
      }
      return
    }
    throw fail("{% endraw %}", "the end of the template")
  }

  private mutating func skipComment() throws {
    let start = line
    while index < source.count {
      if peek() == "+", peek(1) == "#", peek(2) == "}" { return advance(3) }
      if peek() == "-", peek(1) == "#", peek(2) == "}" {
        advance(3)
        skipSpace()
        return
      }
      if peek() == "#", peek(1) == "}" {
        advance(2)
        if peek() == "\n" { advance() }
        return
      }
      advance()
    }
    throw TokenizationError.template(
      line: start, expected: "\"#}\"", found: "the end of the template")
  }

  private mutating func skipSpace() {
    while let scalar = peek(), scalar.properties.isWhitespace { advance() }
  }

  /// Reads up to `}}` or `%}`, then the whitespace that they take with them.
  private mutating func readInside(end: Unicode.Scalar) throws {
    let isBlock = end == "%"
    add(isBlock ? .blockBegin : .outputBegin)
    var depth = 0
    let first = tokens.count
    while true {
      guard tokens.count - first < Self.mostTokens else {
        throw fail("at most \(Self.mostTokens) tokens in one expression", "more")
      }
      skipSpace()
      guard let scalar = peek() else {
        throw fail(isBlock ? "\"%}\"" : "\"}}\"", "the end of the template")
      }
      let sign = scalar == "-" || (scalar == "+" && isBlock)
      let offset = sign ? 1 : 0
      // Inside brackets "}}" closes two of them.
      if (depth == 0 || isBlock), peek(offset) == end, peek(offset + 1) == "}" {
        add(isBlock ? .blockEnd : .outputEnd)
        advance(offset + 2)
        if scalar == "-" {
          skipSpace()
        } else if isBlock, !sign, peek() == "\n" {
          advance()
        }
        return
      }
      if "([{".unicodeScalars.contains(scalar) { depth += 1 }
      if ")]}".unicodeScalars.contains(scalar) { depth -= 1 }
      try readToken(scalar)
    }
  }

  private mutating func readToken(_ first: Unicode.Scalar) throws {
    if first == "'" || first == "\"" { return try readString(first) }
    if first.properties.isXIDStart || first == "_" {
      var name: [Unicode.Scalar] = []
      while let scalar = peek(), scalar.properties.isXIDContinue {
        name.append(scalar)
        advance()
      }
      return add(.name(Self.string(name)))
    }
    if ("0"..."9").contains(first) { return try readNumber() }
    let two = Self.string([first] + (peek(1).map { [$0] } ?? []))
    if ["==", "!=", "<=", ">=", "//", "**"].contains(two) {
      add(.symbol(two))
      return advance(2)
    }
    guard "()[]{}.,:|~+-*/%<>=".unicodeScalars.contains(first) else {
      throw fail("an expression", "\"\(first)\"")
    }
    add(.symbol(Self.string([first])))
    advance()
  }

  private mutating func readNumber() throws {
    var digits = ""
    func isDigit(_ scalar: Unicode.Scalar?) -> Bool {
      scalar.map { ("0"..."9").contains($0) } ?? false
    }
    let radices: [Unicode.Scalar: Int] = ["b": 2, "B": 2, "o": 8, "O": 8, "x": 16, "X": 16]
    if peek() == "0", let radix = peek(1).flatMap({ radices[$0] }) {
      advance(2)
      while let scalar = peek(), scalar == "_" || Character(scalar).isHexDigit {
        if scalar != "_" { digits.unicodeScalars.append(scalar) }
        advance()
      }
      guard let value = Int(digits, radix: radix) else { throw fail("a number", "\"\(digits)\"") }
      return add(.integer(value))
    }
    while let scalar = peek(), isDigit(scalar) || scalar == "_" || scalar == "." {
      // "1.x" is a member, not a fraction.
      if scalar == ".", digits.contains(".") || !isDigit(peek(1)) { break }
      if scalar != "_" { digits.unicodeScalars.append(scalar) }
      advance()
    }
    if peek() == "e" || peek() == "E", isDigit(peek(1)) || isDigit(peek(2)) {
      digits.unicodeScalars.append("e")
      advance()
      while let scalar = peek(), isDigit(scalar) || scalar == "-" || scalar == "+" {
        digits.unicodeScalars.append(scalar)
        advance()
      }
    }
    if let value = Int(digits) { return add(.integer(value)) }
    guard digits.contains(where: { $0 == "." || $0 == "e" }) else {
      throw fail("an integer of 64 bits", digits)
    }
    guard let value = Double(digits), value.isFinite else { throw fail("a number", digits) }
    add(.number(value))
  }

  private mutating func readString(_ quote: Unicode.Scalar) throws {
    let start = line
    advance()
    var scalars: [Unicode.Scalar] = []
    while let scalar = peek(), scalar != quote {
      advance()
      guard scalar == "\\", let escaped = peek() else {
        scalars.append(scalar)
        continue
      }
      advance()
      switch escaped {
      case "n": scalars.append("\n")
      case "t": scalars.append("\t")
      case "r": scalars.append("\r")
      case "a": scalars.append("\u{7}")
      case "b": scalars.append("\u{8}")
      case "f": scalars.append("\u{C}")
      case "v": scalars.append("\u{B}")
      case "\\", "'", "\"": scalars.append(escaped)
      case "U": scalars.append(try readEscape(digits: 8))
      case "u": scalars.append(try readEscape(digits: 4))
      case "x": scalars.append(try readEscape(digits: 2))
      case "0"..."7":
        var value = escaped.value - 48
        for _ in 0..<2 {
          guard let digit = peek(), ("0"..."7").contains(digit) else { break }
          value = value * 8 + digit.value - 48
          advance()
        }
        scalars += Unicode.Scalar(value).map { [$0] } ?? []
      case "\n": break
      default: scalars += ["\\", escaped]
      }
    }
    guard peek() != nil else {
      throw TokenizationError.template(
        line: start, expected: "the end of a string", found: "the end of the template")
    }
    add(.string(Self.string(scalars)))
    advance()
  }

  private mutating func readEscape(digits: Int) throws -> Unicode.Scalar {
    var text = ""
    for _ in 0..<digits {
      if let scalar = peek() { text.unicodeScalars.append(scalar) }
      advance()
    }
    guard let value = UInt32(text, radix: 16), let scalar = Unicode.Scalar(value) else {
      throw fail("\(digits) hexadecimal digits", "\"\(text)\"")
    }
    return scalar
  }

  private static func string(_ scalars: [Unicode.Scalar]) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    return String(text)
  }
}
