/// Jinja's tests, as in `x is defined`.
extension TemplateInterpreter {
  static let tests: [String: TemplateSignature] = {
    var tests: [String: TemplateSignature] = ["divisibleby": "num", "in": "seq"]
    for name in [
      "boolean", "callable", "defined", "escaped", "even", "false", "filter", "float", "integer",
      "iterable", "lower", "mapping", "none", "number", "odd", "sequence", "string", "test",
      "true", "undefined", "upper",
    ] {
      tests[name] = ""
    }
    for name in ["sameas"] + comparisons.keys { tests[name] = "other" }
    return tests
  }()

  private static let comparisons = [
    "==": "==", "eq": "==", "equalto": "==", "!=": "!=", "ne": "!=", "<": "<", "lt": "<",
    "lessthan": "<", ">": ">", "gt": ">", "greaterthan": ">", "<=": "<=", "le": "<=", ">=": ">=",
    "ge": ">=",
  ]

  func test(
    _ name: String, _ value: TemplateValue, _ call: TemplateCall
  ) throws -> Bool {
    guard let signature = Self.tests[name] else { throw fail("a test", "\"\(name)\"") }
    let given = try bind(call, to: signature, of: "the test \"\(name)\"")
    let other = given["other"] ?? given["seq"] ?? given["num"] ?? .undefined
    if let comparison = Self.comparisons[name] { return try compare(comparison, value, other) }
    switch name {
    case "in": return try contains(other, value)
    case "sameas": return value.kind == other.kind && value.equals(other)
    case "odd", "even", "divisibleby":
      let remainder = try apply("%", value, name == "divisibleby" ? other : .integer(2))
      return remainder.equals(.integer(name == "odd" ? 1 : 0))
    case "lower": return try text(of: value).isAll("islower")
    case "upper": return try text(of: value).isAll("isupper")
    case "filter", "test":
      let text = try text(of: value)
      return name == "filter" ? Self.filters[text] != nil : Self.tests[text] != nil
    case "escaped": if case .markup = value { return true } else { return false }
    default: return holds(name, value.plain)
    }
  }

  private func holds(_ name: String, _ value: TemplateValue) -> Bool {
    switch (name, value) {
    case ("defined", _): return !value.isUndefined
    case ("undefined", _): return value.isUndefined
    case ("none", .none), ("boolean", .bool), ("true", .bool(true)), ("false", .bool(false)),
      ("integer", .integer), ("float", .number), ("string", .string), ("mapping", .object),
      ("callable", .function), ("callable", .method), ("callable", .undefined):
      return true
    case ("number", _): return value.double != nil
    case ("sequence", .view): return false
    case ("iterable", .reference(let reference)):
      return reference.kind == .iterator || reference.kind == .loop
    case ("sequence", _), ("iterable", _): return value.sequence != nil
    case ("callable", .reference(let reference)):
      return [.macro, .joiner, .loop].contains(reference.kind)
    default: return false
    }
  }
}
