extension TemplateParser {
  /// Expressions with commas between are a tuple.
  /// - Parameter withChoice: whether `a if b else c` may be among them.
  mutating func tuple(withChoice: Bool = true) throws -> TemplateExpression {
    let line = token.line
    func part(_ parser: inout Self) throws -> TemplateExpression {
      withChoice ? try parser.expression() : try parser.disjunction()
    }
    let first = try part(&self)
    guard token.kind == .symbol(",") else { return first }
    var elements = [first]
    while accept(",") {
      if token.kind == .blockEnd || token.kind == .outputEnd || token.kind == .symbol(")") { break }
      elements.append(try part(&self))
    }
    return TemplateExpression(kind: .tuple(elements), line: line)
  }

  /// `a if b else c`
  mutating func expression() throws -> TemplateExpression {
    try nested { parser in
      var result = try parser.disjunction()
      while parser.acceptName("if") {
        let line = parser.token.line
        let condition = try parser.disjunction()
        let otherwise = parser.acceptName("else") ? try parser.expression() : nil
        result = TemplateExpression(
          kind: .choice(result, condition: condition, otherwise: otherwise), line: line)
      }
      return result
    }
  }

  mutating func disjunction() throws -> TemplateExpression {
    try chain(["or"]) { try $0.chain(["and"]) { try $0.negation() } }
  }

  private mutating func negation() throws -> TemplateExpression {
    let line = token.line
    guard acceptName("not") else { return try comparison() }
    return TemplateExpression(kind: .not(try nested { try $0.negation() }), line: line)
  }

  private mutating func comparison() throws -> TemplateExpression {
    let line = token.line
    let first = try sum()
    var rest: [(name: String, value: TemplateExpression)] = []
    while true {
      switch token.kind {
      case .symbol(let symbol) where ["==", "!=", "<", ">", "<=", ">="].contains(symbol):
        advance()
        rest.append((symbol, try sum()))
      case .name("in"):
        advance()
        rest.append(("in", try sum()))
      case .name("not") where peek(1) == .name("in"):
        advance()
        advance()
        rest.append(("not in", try sum()))
      default:
        return rest.isEmpty
          ? first : TemplateExpression(kind: .comparison(first, rest), line: line)
      }
      guard rest.count < 100 else { throw fail("at most 100 comparisons in a row") }
    }
  }

  private mutating func sum() throws -> TemplateExpression {
    try chain(["+", "-"]) { parser in
      try parser.chain(["~"]) { parser in
        try parser.chain(["*", "/", "//", "%"]) { parser in
          try parser.chain(["**"]) { try $0.unary(withFilters: true) }
        }
      }
    }
  }

  /// Left-associative operators of one precedence.
  private mutating func chain(
    _ operators: [String], _ operand: (inout Self) throws -> TemplateExpression
  ) throws -> TemplateExpression {
    var left = try operand(&self)
    while true {
      let line = token.line
      let found: String
      switch token.kind {
      case .symbol(let symbol) where operators.contains(symbol): found = symbol
      case .name(let name) where operators.contains(name): found = name
      default: return left
      }
      advance()
      left = TemplateExpression(kind: .binary(found, left, try operand(&self)), line: line)
    }
  }

  private mutating func unary(withFilters: Bool) throws -> TemplateExpression {
    try nested { parser in
      let line = parser.token.line
      var result: TemplateExpression
      if case .symbol(let sign) = parser.token.kind, sign == "-" || sign == "+" {
        parser.advance()
        result = TemplateExpression(
          kind: .sign(sign, try parser.unary(withFilters: false)), line: line)
      } else {
        result = try parser.primary()
      }
      result = try parser.postfix(result)
      return withFilters ? try parser.filters(result) : result
    }
  }

  private mutating func primary() throws -> TemplateExpression {
    let line = token.line
    func literal(_ value: TemplateValue) -> TemplateExpression {
      TemplateExpression(kind: .literal(value), line: line)
    }
    switch token.kind {
    case .name(let name):
      advance()
      switch name {
      case "true", "True": return literal(.bool(true))
      case "false", "False": return literal(.bool(false))
      case "none", "None": return literal(.none)
      default:
        namesSeen.insert(name)
        return TemplateExpression(kind: .name(name), line: line)
      }
    case .string(var text):
      advance()
      while case .string(let more) = token.kind {
        text += more
        advance()
      }
      return literal(.string(text))
    case .integer(let value):
      advance()
      return literal(.integer(value))
    case .number(let value):
      advance()
      return literal(.number(value))
    case .symbol("("):
      advance()
      if accept(")") { return literal(.tuple([])) }
      let inside = try tuple()
      try expect(")")
      return inside
    case .symbol("["):
      advance()
      var elements: [TemplateExpression] = []
      while !accept("]") {
        elements.append(try expression())
        if token.kind != .symbol("]") { try expect(",") }
      }
      return TemplateExpression(kind: .list(elements), line: line)
    case .symbol("{"):
      advance()
      var members: [(key: TemplateExpression, value: TemplateExpression)] = []
      while !accept("}") {
        let key = try expression()
        try expect(":")
        members.append((key, try expression()))
        if token.kind != .symbol("}") { try expect(",") }
      }
      return TemplateExpression(kind: .dictionary(members), line: line)
    default:
      throw fail("an expression")
    }
  }

  private mutating func postfix(_ start: TemplateExpression) throws -> TemplateExpression {
    var result = start
    var links = 0
    while true {
      let line = token.line
      if accept(".") {
        if case .integer(let index) = token.kind {
          advance()
          let position = TemplateExpression(kind: .literal(.integer(index)), line: line)
          result = TemplateExpression(kind: .item(result, position), line: line)
        } else {
          result = TemplateExpression(kind: .attribute(result, try name()), line: line)
        }
      } else if accept("[") {
        result = TemplateExpression(kind: try subscripted(result), line: line)
      } else if accept("(") {
        result = TemplateExpression(kind: .call(result, try arguments()), line: line)
      } else {
        return result
      }
      links += 1
      guard links < 100 else { throw fail("at most 100 members in a row") }
    }
  }

  private mutating func subscripted(
    _ object: TemplateExpression
  ) throws -> TemplateExpression.Kind {
    func isEnd(_ kind: TemplateToken.Kind) -> Bool { kind == .symbol("]") || kind == .symbol(":") }
    let first = isEnd(token.kind) ? nil : try expression()
    if accept("]") {
      guard let first else { throw fail("an index") }
      return .item(object, first)
    }
    try expect(":")
    let second = isEnd(token.kind) ? nil : try expression()
    let third = accept(":") && !isEnd(token.kind) ? try expression() : nil
    try expect("]")
    return .slice(object, from: first, to: second, step: third)
  }

  /// After the opening parenthesis.
  private mutating func arguments() throws -> TemplateArguments {
    var arguments = TemplateArguments()
    while !accept(")") {
      if arguments.morePositional == nil, arguments.moreNamed == nil, accept("*") {
        arguments.morePositional = try expression()
      } else if arguments.moreNamed == nil, accept("**") {
        arguments.moreNamed = try expression()
      } else if case .name(let name) = token.kind, peek(1) == .symbol("=") {
        advance()
        advance()
        guard !arguments.named.contains(where: { $0.name == name }) else {
          throw fail("one value of \"\(name)\"")
        }
        arguments.named.append((name, try expression()))
      } else {
        guard arguments.named.isEmpty else { throw fail("a named argument") }
        arguments.positional.append(try expression())
      }
      if token.kind != .symbol(")") { try expect(",") }
    }
    return arguments
  }

  /// A filter's name, and what it is given.
  mutating func filter() throws -> TemplateFilter {
    let line = token.line
    let name = try name()
    return TemplateFilter(
      name: name, arguments: accept("(") ? try arguments() : TemplateArguments(), line: line)
  }

  private mutating func filters(_ start: TemplateExpression) throws -> TemplateExpression {
    var result = start
    var links = 0
    while true {
      let line = token.line
      if accept("|") {
        result = TemplateExpression(kind: .filter(result, try filter()), line: line)
      } else if acceptName("is") {
        let isNegated = acceptName("not")
        let name = try name()
        var arguments = TemplateArguments()
        if accept("(") {
          arguments = try self.arguments()
        } else if beginsTestArgument {
          arguments.positional = [try postfix(try primary())]
        }
        result = TemplateExpression(
          kind: .test(result, name: name, arguments, isNegated: isNegated), line: line)
      } else if token.kind == .symbol("("), links > 0 {
        // What a filter or a test gives may be called.
        advance()
        result = TemplateExpression(kind: .call(result, try arguments()), line: line)
      } else {
        return result
      }
      links += 1
      guard links < 100 else { throw fail("at most 100 filters in a row") }
    }
  }

  /// Whether an argument without parentheses follows a test, as in `is divisibleby 3`.
  private var beginsTestArgument: Bool {
    switch token.kind {
    case .string, .integer, .number, .symbol("["), .symbol("{"): true
    case .name(let name): !["else", "or", "and", "is", "if", "not", "in"].contains(name)
    default: false
    }
  }
}
