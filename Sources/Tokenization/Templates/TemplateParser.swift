/// Builds statements from tokens: Jinja's grammar as far as chat templates use it.
struct TemplateParser {
  private var tokens: [TemplateToken]
  private var position = 0
  private var depth = 0
  /// Deeper nesting is refused: the stack has an end.
  private static let deepest = 100

  static func parse(_ source: String) throws -> [TemplateStatement] {
    var parser = TemplateParser(tokens: try TemplateLexer.tokens(of: source))
    let (body, _) = try parser.body(until: [])
    return body
  }

  private init(tokens: [TemplateToken]) { self.tokens = tokens }

  // MARK: Tokens

  /// The token at hand; the last one, `.end`, stays.
  var token: TemplateToken {
    position < tokens.count ? tokens[position] : TemplateToken(kind: .end, line: 0)
  }

  func peek(_ offset: Int) -> TemplateToken.Kind {
    position + offset < tokens.count ? tokens[position + offset].kind : .end
  }

  mutating func advance() { position += 1 }

  func fail(_ expected: String) -> TokenizationError {
    .template(line: token.line, expected: expected, found: token.shown)
  }

  mutating func accept(_ symbol: String) -> Bool {
    guard token.kind == .symbol(symbol) else { return false }
    advance()
    return true
  }

  mutating func acceptName(_ name: String) -> Bool {
    guard token.kind == .name(name) else { return false }
    advance()
    return true
  }

  mutating func expect(_ symbol: String) throws {
    guard accept(symbol) else { throw fail("\"\(symbol)\"") }
  }

  mutating func expectBlockEnd() throws {
    guard token.kind == .blockEnd else { throw fail("\"%}\"") }
    advance()
  }

  mutating func name() throws -> String {
    guard case .name(let name) = token.kind else { throw fail("a name") }
    advance()
    return name
  }

  /// Runs a rule one level deeper.
  mutating func nested<Result>(_ rule: (inout Self) throws -> Result) throws -> Result {
    guard depth < Self.deepest else { throw fail("at most \(Self.deepest) levels of nesting") }
    depth += 1
    defer { depth -= 1 }
    return try rule(&self)
  }

  // MARK: Statements

  /// Statements up to one of the given block names, which is consumed, or to the end if none is.
  private mutating func body(
    until ends: Set<String>
  ) throws -> (body: [TemplateStatement], end: String) {
    try nested { parser in
      var body: [TemplateStatement] = []
      while true {
        let line = parser.token.line
        switch parser.token.kind {
        case .text(let text):
          parser.advance()
          body.append(TemplateStatement(kind: .text(text), line: line))
        case .outputBegin:
          parser.advance()
          let expression = try parser.tuple()
          guard parser.token.kind == .outputEnd else { throw parser.fail("\"}}\"") }
          parser.advance()
          body.append(TemplateStatement(kind: .output(expression), line: line))
        case .blockBegin:
          parser.advance()
          let name = try parser.name()
          if ends.contains(name) { return (body, name) }
          body += try parser.block(name, line: line)
        default:
          guard ends.isEmpty, parser.token.kind == .end else {
            throw parser.fail(ends.sorted().map { "{% \($0) %}" }.joined(separator: " or "))
          }
          return (body, "")
        }
      }
    }
  }

  private mutating func block(_ name: String, line: Int) throws -> [TemplateStatement] {
    func statement(_ kind: TemplateStatement.Kind) -> [TemplateStatement] {
      [TemplateStatement(kind: kind, line: line)]
    }
    switch name {
    case "if": return statement(try condition())
    case "for": return statement(.loop(try loop()))
    case "set": return statement(try assignment())
    case "macro": return statement(.macro(try macro()))
    case "break":
      try expectBlockEnd()
      return statement(.leaveLoop)
    case "continue":
      try expectBlockEnd()
      return statement(.nextRound)
    case "generation":
      // Marks the assistant's text for training; the text is the same.
      try expectBlockEnd()
      let body = try body(until: ["endgeneration"]).body
      try expectBlockEnd()
      return body
    default:
      throw TokenizationError.template(
        line: line, expected: "if, for, set, macro, break, continue or generation",
        found: "\"\(name)\"")
    }
  }

  private mutating func condition() throws -> TemplateStatement.Kind {
    var branches: [(condition: TemplateExpression?, body: [TemplateStatement])] = []
    var test: TemplateExpression? = try expression()
    while true {
      try expectBlockEnd()
      let (found, end) = try body(
        until: test == nil ? ["endif"] : ["elif", "else", "endif"])
      branches.append((test, found))
      switch end {
      case "elif": test = try expression()
      case "else": test = nil
      default:
        try expectBlockEnd()
        return .condition(branches)
      }
    }
  }

  private mutating func names() throws -> [String] {
    let isWrapped = accept("(")
    var names = [try name()]
    while accept(",") { names.append(try name()) }
    if isWrapped { try expect(")") }
    return names
  }

  private mutating func loop() throws -> TemplateLoop {
    let names = try names()
    guard acceptName("in") else { throw fail("\"in\"") }
    // Not a whole expression: an "if" here filters the loop.
    let sequence = try disjunction()
    let condition = acceptName("if") ? try expression() : nil
    try expectBlockEnd()
    let (body, end) = try body(until: ["else", "endfor"])
    try expectBlockEnd()
    var otherwise: [TemplateStatement] = []
    if end == "else" {
      otherwise = try self.body(until: ["endfor"]).body
      try expectBlockEnd()
    }
    return TemplateLoop(
      names: names, sequence: sequence, condition: condition, body: body, otherwise: otherwise)
  }

  private mutating func assignment() throws -> TemplateStatement.Kind {
    let target: TemplateTarget
    if case .name(let object) = token.kind, peek(1) == .symbol("."),
      case .name(let member) = peek(2)
    {
      position += 3
      target = .member(object, member)
    } else {
      target = .names(try names())
    }
    if accept("=") {
      let value = try tuple()
      try expectBlockEnd()
      return .set(target, value)
    }
    guard case .names(let names) = target, names.count == 1 else { throw fail("\"=\"") }
    try expectBlockEnd()
    let body = try body(until: ["endset"]).body
    try expectBlockEnd()
    return .setBlock(names[0], body)
  }

  private mutating func macro() throws -> TemplateMacro {
    let name = try name()
    try expect("(")
    var parameters: [(name: String, standard: TemplateExpression?)] = []
    while !accept(")") {
      let parameter = try self.name()
      parameters.append((parameter, accept("=") ? try expression() : nil))
      if token.kind != .symbol(")") { try expect(",") }
    }
    try expectBlockEnd()
    let body = try body(until: ["endmacro"]).body
    // The name may stand once more.
    if case .name = token.kind { advance() }
    try expectBlockEnd()
    return TemplateMacro(name: name, parameters: parameters, body: body)
  }
}
