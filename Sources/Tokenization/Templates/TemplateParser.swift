/// Builds statements from tokens: Jinja's grammar for a template that stands alone.
struct TemplateParser {
  private var tokens: [TemplateToken]
  private var position = 0
  private var depth = 0
  private var loopDepth = 0
  /// The variables that the macro at hand asks for.
  var namesSeen: Set<String> = []
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
    case "call": return statement(try callBlock())
    case "with": return statement(try with())
    case "filter":
      let filters = [try filter()] + (try blockFilters())
      try expectBlockEnd()
      return statement(.filterBlock(filters, try closedBody("endfilter")))
    case "break", "continue":
      guard loopDepth > 0 else {
        throw TokenizationError.template(
          line: line, expected: "\"\(name)\" within a loop", found: "it outside of one")
      }
      try expectBlockEnd()
      return statement(name == "break" ? .leaveLoop : .nextRound)
    case "generation":
      // Marks the assistant's text for training; the text is the same.
      try expectBlockEnd()
      return statement(.with([], try closedBody("endgeneration")))
    default:
      throw TokenizationError.template(
        line: line,
        expected: "if, for, set, macro, call, filter, with, raw, break, continue or generation",
        found: "\"\(name)\"")
    }
  }

  /// The rest of a block, and its end.
  private mutating func closedBody(_ end: String) throws -> [TemplateStatement] {
    let body = try body(until: [end]).body
    try expectBlockEnd()
    return body
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

  /// What `for`, `set` or `with` assigns to.
  private mutating func target(withMembers: Bool = false) throws -> TemplateTarget {
    try nested { parser in
      let first = try parser.targetPart(withMembers)
      guard parser.token.kind == .symbol(",") else { return first }
      var parts = [first]
      while parser.accept(",") {
        let isEnd = [.name("in"), .symbol("="), .symbol(")")].contains(parser.token.kind)
        if isEnd { break }
        parts.append(try parser.targetPart(withMembers))
      }
      return .tuple(parts)
    }
  }

  private mutating func targetPart(_ withMembers: Bool) throws -> TemplateTarget {
    if accept("(") {
      let inside = try target()
      try expect(")")
      return inside
    }
    let name = try name()
    return withMembers && accept(".") ? .member(name, try self.name()) : .name(name)
  }

  private mutating func loop() throws -> TemplateLoop {
    let target = try target()
    guard acceptName("in") else { throw fail("\"in\"") }
    // Not a whole expression: an "if" here filters the loop.
    let sequence = try tuple(withChoice: false)
    let condition = acceptName("if") ? try expression() : nil
    let isRecursive = acceptName("recursive")
    try expectBlockEnd()
    loopDepth += 1
    let (body, end) = try body(until: ["else", "endfor"])
    loopDepth -= 1
    try expectBlockEnd()
    var otherwise: [TemplateStatement] = []
    if end == "else" { otherwise = try closedBody("endfor") }
    return TemplateLoop(
      target: target, sequence: sequence, condition: condition, isRecursive: isRecursive,
      body: body, otherwise: otherwise)
  }

  private mutating func assignment() throws -> TemplateStatement.Kind {
    let target = try target(withMembers: true)
    if accept("=") {
      let value = try tuple()
      try expectBlockEnd()
      return .set(target, value)
    }
    let filters = try blockFilters()
    guard token.kind == .blockEnd else { throw fail("\"=\"") }
    advance()
    return .setBlock(target, filters, try closedBody("endset"))
  }

  /// The filters of a whole block: `| upper | trim`.
  private mutating func blockFilters() throws -> [TemplateFilter] {
    var filters: [TemplateFilter] = []
    while accept("|") { filters.append(try filter()) }
    return filters
  }

  private mutating func with() throws -> TemplateStatement.Kind {
    var variables: [(target: TemplateTarget, value: TemplateExpression)] = []
    while token.kind != .blockEnd {
      if !variables.isEmpty { try expect(",") }
      let target = TemplateTarget.name(try name())
      try expect("=")
      variables.append((target, try expression()))
    }
    advance()
    return .with(variables, try closedBody("endwith"))
  }

  private mutating func macro() throws -> TemplateMacro {
    let name = try name()
    try expect("(")
    let parameters = try parameters()
    return try macro(name, parameters, end: "endmacro")
  }

  private mutating func callBlock() throws -> TemplateStatement.Kind {
    let parameters = accept("(") ? try parameters() : []
    guard case .call(let callee, let arguments) = try expression().kind else {
      throw fail("a call")
    }
    return .callBlock(callee, arguments, caller: try macro("caller", parameters, end: "endcall"))
  }

  /// After the opening parenthesis.
  private mutating func parameters() throws -> [(name: String, standard: TemplateExpression?)] {
    var parameters: [(name: String, standard: TemplateExpression?)] = []
    while !accept(")") {
      let parameter = try name()
      if parameters.last?.standard != nil && token.kind != .symbol("=") {
        throw fail("a standard value of \"\(parameter)\"")
      }
      parameters.append((parameter, accept("=") ? try expression() : nil))
      if token.kind != .symbol(")") { try expect(",") }
    }
    return parameters
  }

  private mutating func macro(
    _ name: String, _ parameters: [(name: String, standard: TemplateExpression?)], end: String
  ) throws -> TemplateMacro {
    try expectBlockEnd()
    let outer = (namesSeen, loopDepth)
    (namesSeen, loopDepth) = ([], 0)
    let body = try body(until: [end]).body
    // The name may stand once more.
    if case .name = token.kind { advance() }
    try expectBlockEnd()
    let extras = namesSeen.intersection(["varargs", "kwargs", "caller"])
    (namesSeen, loopDepth) = (namesSeen.union(outer.0), outer.1)
    return TemplateMacro(
      name: name, parameters: parameters, body: body,
      extras: extras.subtracting(parameters.map(\.name)))
  }
}
