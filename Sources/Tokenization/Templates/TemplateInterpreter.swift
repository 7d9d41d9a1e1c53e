import Foundation

/// Runs a parsed template.
struct TemplateInterpreter {
  /// Statements and expressions that one run may take.
  static let mostSteps = 2_000_000
  /// Bytes of the output, and of any one string.
  static let mostBytes = 16 << 20
  static let mostElements = 1 << 20
  private static let deepestCall = 24

  enum Flow { case onwards, leaveLoop, nextRound }

  /// Variables, the innermost scope last.
  private var scopes: [[String: TemplateValue]]
  private var macros: [String: TemplateMacro] = [:]
  private var output = ""
  private var steps = 0
  private var callDepth = 0
  /// The line at hand, for errors.
  var line = 1
  let now: Date

  init(variables: [String: TemplateValue], now: Date) {
    scopes = [variables]
    self.now = now
  }

  mutating func run(_ statements: [TemplateStatement]) throws -> String {
    _ = try execute(statements)
    return output
  }

  func fail(_ expected: String, _ found: String) -> TokenizationError {
    .template(line: line, expected: expected, found: found)
  }

  /// Counts work, so that no template runs forever.
  mutating func step(_ count: Int = 1) throws {
    steps += count
    guard steps <= Self.mostSteps else {
      throw fail("at most \(Self.mostSteps) steps", "a template that runs on")
    }
  }

  func checked(_ text: String) throws -> String {
    guard text.utf8.count <= Self.mostBytes else {
      throw fail("at most \(Self.mostBytes) bytes of text", "\(text.utf8.count)")
    }
    return text
  }

  func checked(_ elements: [TemplateValue]) throws -> TemplateValue {
    guard elements.count <= Self.mostElements else {
      throw fail("at most \(Self.mostElements) elements", "\(elements.count)")
    }
    return .array(elements)
  }

  // MARK: Statements

  private mutating func execute(_ statements: [TemplateStatement]) throws -> Flow {
    for statement in statements {
      line = statement.line
      try step()
      let flow = try execute(statement)
      if flow != .onwards { return flow }
    }
    return .onwards
  }

  private mutating func execute(_ statement: TemplateStatement) throws -> Flow {
    switch statement.kind {
    case .text(let text):
      try write(text)
    case .output(let expression):
      try write(text(of: evaluate(expression)))
    case .condition(let branches):
      for (condition, body) in branches {
        if let condition, try !evaluate(condition).isTrue { continue }
        return try execute(body)
      }
    case .loop(let loop):
      try run(loop)
    case .set(let target, let expression):
      try assign(evaluate(expression), to: target)
    case .setBlock(let name, let body):
      let text = try captured { try $0.execute(body) }
      set(name, .string(text))
    case .macro(let macro):
      macros[macro.name] = macro
    case .leaveLoop:
      return .leaveLoop
    case .nextRound:
      return .nextRound
    }
    return .onwards
  }

  private mutating func write(_ text: String) throws {
    output += text
    guard output.utf8.count <= Self.mostBytes else {
      throw fail("at most \(Self.mostBytes) bytes of output", "more")
    }
  }

  /// What a part of the template writes, kept out of the output.
  private mutating func captured(_ body: (inout Self) throws -> Flow) throws -> String {
    let before = output
    output = ""
    defer { output = before }
    _ = try body(&self)
    return output
  }

  private mutating func run(_ loop: TemplateLoop) throws {
    var elements = try elements(of: evaluate(loop.sequence))
    scopes.append([:])
    defer { scopes.removeLast() }
    if let condition = loop.condition {
      elements = try elements.filter { element in
        try assign(element, to: .names(loop.names))
        return try evaluate(condition).isTrue
      }
    }
    if elements.isEmpty {
      _ = try execute(loop.otherwise)
      return
    }
    let count = elements.count
    for (index, element) in elements.enumerated() {
      try step()
      // What a round sets is gone in the next one.
      scopes[scopes.count - 1] = [
        "loop": [
          "index": .integer(index + 1), "index0": .integer(index),
          "revindex": .integer(count - index), "revindex0": .integer(count - index - 1),
          "first": .bool(index == 0), "last": .bool(index == count - 1),
          "length": .integer(count),
          "previtem": index > 0 ? elements[index - 1] : .undefined,
          "nextitem": index + 1 < count ? elements[index + 1] : .undefined,
        ]
      ]
      try assign(element, to: .names(loop.names))
      if try execute(loop.body) == .leaveLoop { break }
    }
  }

  /// What a loop or a filter goes through.
  mutating func elements(of value: TemplateValue) throws -> [TemplateValue] {
    let elements: [TemplateValue]
    switch value {
    case .array(let values): elements = values
    case .object(let object): elements = object.names.map { .string($0) }
    case .string(let text): elements = text.unicodeScalars.map { .string(String($0)) }
    case .undefined: elements = []
    default: throw fail("a list, a mapping or a string", value.kind)
    }
    try step(elements.count)
    return elements
  }

  // MARK: Variables

  private mutating func set(_ name: String, _ value: TemplateValue) {
    scopes[scopes.count - 1][name] = value
  }

  func lookUp(_ name: String) -> TemplateValue? {
    for scope in scopes.reversed() {
      if let value = scope[name] { return value }
    }
    return nil
  }

  private mutating func assign(_ value: TemplateValue, to target: TemplateTarget) throws {
    switch target {
    case .names(let names):
      if names.count == 1 { return set(names[0], value) }
      let elements = try elements(of: value)
      guard elements.count == names.count else {
        throw fail("\(names.count) values", "\(elements.count)")
      }
      for (name, element) in zip(names, elements) { set(name, element) }
    case .member(let name, let member):
      try checkDepth(value)
      guard let scope = scopes.lastIndex(where: { $0[name] != nil }),
        case .namespace(var object)? = scopes[scope][name]
      else { throw fail("a namespace", lookUp(name)?.kind ?? "an undefined value") }
      object[member] = value
      scopes[scope][name] = .namespace(object)
    }
  }

  /// Refuses values that nest so deep that walking them would exhaust the stack.
  func checkDepth(_ value: TemplateValue) throws {
    var visits = 200_000
    func fits(_ value: TemplateValue, _ depth: Int) -> Bool {
      visits -= 1
      guard depth > 0 && visits > 0 else { return false }
      switch value {
      case .array(let elements): return elements.allSatisfy { fits($0, depth - 1) }
      case .object(let object), .namespace(let object):
        return object.members.allSatisfy { fits($0.value, depth - 1) }
      default: return true
      }
    }
    guard fits(value, 200) else {
      throw fail("a value of at most 200 levels and 200000 parts", "a larger one")
    }
  }

  // MARK: Macros

  func hasMacro(_ name: String) -> Bool { macros[name] != nil }

  mutating func callMacro(
    _ name: String, _ positional: [TemplateValue], _ named: [String: TemplateValue]
  ) throws -> TemplateValue {
    guard let macro = macros[name] else { throw fail("a macro", "\"\(name)\"") }
    guard callDepth < Self.deepestCall else {
      throw fail("at most \(Self.deepestCall) calls within one another", "more")
    }
    guard positional.count <= macro.parameters.count else {
      throw fail("at most \(macro.parameters.count) arguments of \(name)", "\(positional.count)")
    }
    let outer = scopes
    callDepth += 1
    scopes = [outer[0], [:]]
    defer {
      scopes = outer
      callDepth -= 1
    }
    for (index, parameter) in macro.parameters.enumerated() {
      let value: TemplateValue
      if index < positional.count {
        value = positional[index]
      } else if let given = named[parameter.name] {
        value = given
      } else {
        value = try parameter.standard.map { try evaluate($0) } ?? .undefined
      }
      set(parameter.name, value)
    }
    return .string(try captured { try $0.execute(macro.body) })
  }
}
