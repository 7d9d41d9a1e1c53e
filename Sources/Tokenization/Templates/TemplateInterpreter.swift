import Foundation

/// The variables of a block, and the block around it. A macro keeps the scope it was written in.
final class TemplateScope {
  var variables: [String: TemplateValue] = [:]
  let outer: TemplateScope?

  init(in outer: TemplateScope?) { self.outer = outer }
}

/// What a template's references lead to.
enum TemplateThing {
  case namespace(TemplateObject)
  case macro(TemplateMacro, TemplateScope)
  case loop(TemplateLoopState)
  /// What a filter such as `map` gives: can be gone through once.
  case iterator(ArraySlice<TemplateValue>)
  case cycler([TemplateValue], next: Int)
  case joiner(String, isUsed: Bool)
}

/// A running `for`.
struct TemplateLoopState {
  var elements: [TemplateValue]
  var index = 0
  /// How many loops it runs within by calling itself.
  var depth: Int
  var statement: TemplateLoop
  var scope: TemplateScope
  /// What `changed` was given last.
  var watched: [TemplateValue]?
}

/// Runs a parsed template.
final class TemplateInterpreter {
  /// Statements and expressions that one run may take.
  static let mostSteps = 2_000_000
  /// Bytes of the output, and of any one string.
  static let mostBytes = 16 << 20
  static let mostElements = 1 << 20
  private static let deepestCall = 24

  enum Flow { case onwards, leaveLoop, nextRound }

  private var scope = TemplateScope(in: nil)
  var things: [TemplateThing] = []
  private var output = ""
  private var steps = 0
  private var callDepth = 0
  /// The line at hand, for errors.
  var line = 1
  let now: Date

  init(variables: [String: TemplateValue], now: Date) {
    scope.variables = variables
    self.now = now
  }

  func run(_ statements: [TemplateStatement]) throws -> String {
    _ = try execute(statements)
    return output
  }

  func fail(_ expected: String, _ found: String) -> TokenizationError {
    .template(line: line, expected: expected, found: found)
  }

  /// Counts work, so that no template runs forever.
  func step(_ count: Int = 1) throws {
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

  func checked(_ elements: [TemplateValue]) throws -> [TemplateValue] {
    guard elements.count <= Self.mostElements else {
      throw fail("at most \(Self.mostElements) elements", "\(elements.count)")
    }
    return elements
  }

  // MARK: Statements

  private func execute(_ statements: [TemplateStatement]) throws -> Flow {
    for statement in statements {
      line = statement.line
      try step()
      let flow = try execute(statement)
      if flow != .onwards { return flow }
    }
    return .onwards
  }

  private func execute(_ statement: TemplateStatement) throws -> Flow {
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
    case .setBlock(let target, let filters, let body):
      let (text, flow) = try captured(body)
      guard flow == .onwards else { return flow }
      try assign(filtered(text, by: filters), to: target)
    case .macro(let macro):
      set(macro.name, make(.macro, .macro(macro, scope)))
    case .callBlock(let callee, let arguments, let body):
      let caller = make(.macro, .macro(body, scope))
      let function = try evaluate(callee)
      var given = try evaluate(arguments)
      given.named.append(("caller", caller))
      line = statement.line
      try write(text(of: call(function, given, of: callee)))
    case .filterBlock(let filters, let body):
      let (text, flow) = try captured(body)
      guard flow == .onwards else { return flow }
      try write(self.text(of: filtered(text, by: filters)))
    case .with(let variables, let body):
      let values = try variables.map { try evaluate($0.value) }
      return try inside(TemplateScope(in: scope)) {
        for (variable, value) in zip(variables, values) { try assign(value, to: variable.target) }
        return try execute(body)
      }
    case .leaveLoop:
      return .leaveLoop
    case .nextRound:
      return .nextRound
    }
    return .onwards
  }

  private func filtered(
    _ text: String, by filters: [TemplateFilter]
  ) throws -> TemplateValue {
    try filters.reduce(.string(text)) { try apply($1, to: $0) }
  }

  /// Runs with another scope at hand.
  private func inside<Result>(
    _ inner: TemplateScope, _ body: () throws -> Result
  ) rethrows -> Result {
    let outer = scope
    scope = inner
    defer { scope = outer }
    return try body()
  }

  private func write(_ text: String) throws {
    output += text
    guard output.utf8.count <= Self.mostBytes else {
      throw fail("at most \(Self.mostBytes) bytes of output", "more")
    }
  }

  /// What a part of the template writes, kept out of the output; what it sets stays in it.
  private func captured(
    _ body: [TemplateStatement]
  ) throws -> (text: String, flow: Flow) {
    try captured { try inside(TemplateScope(in: scope)) { try execute(body) } }
  }

  private func captured(
    _ body: () throws -> Flow
  ) throws -> (text: String, flow: Flow) {
    let before = output
    output = ""
    defer { output = before }
    let flow = try body()
    return (output, flow)
  }

  private func run(_ loop: TemplateLoop) throws {
    let elements = try elements(of: evaluate(loop.sequence))
    try run(loop, over: elements, depth: 0)
  }

  private func run(
    _ loop: TemplateLoop, over all: [TemplateValue], depth: Int
  ) throws {
    let outer = scope
    defer { scope = outer }
    var elements = all
    if let condition = loop.condition {
      scope = TemplateScope(in: outer)
      elements = try all.filter { element in
        try assign(element, to: loop.target)
        return try evaluate(condition).isTrue
      }
    }
    if elements.isEmpty {
      scope = TemplateScope(in: outer)
      _ = try execute(loop.otherwise)
      return
    }
    var state = TemplateLoopState(
      elements: elements, depth: depth, statement: loop, scope: outer)
    let name = make(.loop, .loop(state))
    let place = things.count - 1
    for (index, element) in elements.enumerated() {
      try step()
      if case .loop(let before) = things[place] { state = before }
      state.index = index
      things[place] = .loop(state)
      // What a round sets is gone in the next one.
      scope = TemplateScope(in: outer)
      set("loop", name)
      try assign(element, to: loop.target)
      if try execute(loop.body) == .leaveLoop { break }
    }
  }

  /// `loop(elements)` within a recursive loop.
  func recurse(
    _ state: TemplateLoopState, over elements: [TemplateValue]
  ) throws -> String {
    guard state.statement.isRecursive else { throw fail("a loop marked recursive", "another") }
    return try called {
      try inside(state.scope) {
        try run(state.statement, over: elements, depth: state.depth + 1)
      }
    }
  }

  /// What a loop or a filter goes through.
  func elements(of value: TemplateValue) throws -> [TemplateValue] {
    var elements = value.sequence
    if case .reference(let reference) = value, case .iterator(let rest) = things[reference.place] {
      elements = Array(rest)
      things[reference.place] = .iterator([])
    }
    guard let elements else { throw fail("a list, a mapping or a string", value.kind) }
    try step(elements.count)
    return elements
  }

  /// Puts a thing into the table.
  func make(
    _ kind: TemplateReference.Kind, _ thing: TemplateThing
  ) -> TemplateValue {
    things.append(thing)
    return .reference(TemplateReference(kind: kind, place: things.count - 1))
  }

  func iterator(_ elements: [TemplateValue]) -> TemplateValue {
    make(.iterator, .iterator(elements[...]))
  }

  // MARK: Variables

  private func set(_ name: String, _ value: TemplateValue) { scope.variables[name] = value }

  /// A variable, or else a function that all templates know.
  func lookUp(_ name: String) -> TemplateValue {
    var place: TemplateScope? = scope
    while let scope = place {
      if let value = scope.variables[name] { return value }
      place = scope.outer
    }
    return Self.functions[name] == nil ? .undefined : .function(name)
  }

  private func assign(_ value: TemplateValue, to target: TemplateTarget) throws {
    switch target {
    case .name(let name): set(name, value)
    case .tuple(let targets):
      let elements = try elements(of: value)
      guard elements.count == targets.count else {
        throw fail("\(targets.count) values", "\(elements.count)")
      }
      for (target, element) in zip(targets, elements) { try assign(element, to: target) }
    case .member(let name, let member):
      try checkDepth(value)
      let owner = lookUp(name)
      guard case .reference(let reference) = owner,
        case .namespace(var object) = things[reference.place]
      else { throw fail("a namespace", owner.kind) }
      try checkMember(member)
      object[member] = value
      things[reference.place] = .namespace(object)
    }
  }

  /// transformers keeps names with an underscore before them out of namespaces.
  func checkMember(_ name: String) throws {
    guard !name.hasPrefix("_") else {
      throw fail("a member's name without an underscore before it", "\"\(name)\"")
    }
  }

  /// Refuses values that nest so deep that walking them would exhaust the stack.
  func checkDepth(_ value: TemplateValue) throws {
    var visits = 200_000
    func fits(_ value: TemplateValue, _ depth: Int) -> Bool {
      visits -= 1
      guard depth > 0 && visits > 0 else { return false }
      switch value {
      case .array(let elements), .tuple(let elements), .view(_, let elements):
        return elements.allSatisfy { fits($0, depth - 1) }
      case .object(let object):
        return object.members.allSatisfy { fits($0.key, depth - 1) && fits($0.value, depth - 1) }
      case .method(let owner, _): return fits(owner, depth - 1)
      default: return true
      }
    }
    guard fits(value, 200) else {
      throw fail("a value of at most 200 levels and 200000 parts", "a larger one")
    }
  }

  // MARK: Macros

  /// What a part writes that is called, not reached: how deep such calls go has an end.
  private func called(_ body: () throws -> Void) throws -> String {
    guard callDepth < Self.deepestCall else {
      throw fail("at most \(Self.deepestCall) calls within one another", "more")
    }
    callDepth += 1
    defer { callDepth -= 1 }
    return try captured {
      try body()
      return .onwards
    }.text
  }

  func callMacro(
    _ macro: TemplateMacro, in outer: TemplateScope, _ call: TemplateCall
  ) throws -> TemplateValue {
    let count = macro.parameters.count
    guard call.positional.count <= count || macro.extras.contains("varargs") else {
      throw fail("at most \(count) arguments of \(macro.name)", "\(call.positional.count)")
    }
    var named = call.named
    func take(_ name: String, from named: inout [(name: String, value: TemplateValue)])
      -> TemplateValue?
    {
      named.firstIndex { $0.name == name }.map { named.remove(at: $0).value }
    }
    var values: [TemplateValue?] = call.positional.prefix(count).map { $0 }
    for parameter in macro.parameters.dropFirst(values.count) {
      values.append(take(parameter.name, from: &named))
    }
    let inner = TemplateScope(in: outer)
    if macro.extras.contains("caller") {
      inner.variables["caller"] = take("caller", from: &named) ?? .undefined
    }
    if macro.extras.contains("varargs") {
      inner.variables["varargs"] = .tuple(Array(call.positional.dropFirst(count)))
    }
    if macro.extras.contains("kwargs") {
      var object = TemplateObject()
      for (name, value) in named { object[name] = value }
      inner.variables["kwargs"] = .object(object)
    } else if let extra = named.first {
      throw fail("a parameter of \(macro.name)", "\"\(extra.name)\"")
    }
    let text = try called {
      try inside(inner) {
        for (parameter, value) in zip(macro.parameters, values) {
          set(
            parameter.name,
            try value ?? parameter.standard.map { try evaluate($0) } ?? .undefined)
        }
        _ = try execute(macro.body)
      }
    }
    return .string(text)
  }
}
