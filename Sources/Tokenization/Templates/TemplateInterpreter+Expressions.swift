import Foundation

extension TemplateInterpreter {
  func evaluate(_ expression: TemplateExpression) throws -> TemplateValue {
    line = expression.line
    try step()
    switch expression.kind {
    case .literal(let value): return value
    case .name(let name): return lookUp(name)
    case .list(let elements):
      let list = TemplateValue.array(try elements.map { try evaluate($0) })
      try checkDepth(list)
      return list
    case .tuple(let elements):
      let tuple = TemplateValue.tuple(try elements.map { try evaluate($0) })
      try checkDepth(tuple)
      return tuple
    case .dictionary(let members):
      var object = TemplateObject()
      for (key, value) in members {
        let key = try evaluate(key)
        guard object.set(key, try evaluate(value)) else {
          throw fail("a key of a mapping", key.kind)
        }
      }
      try checkDepth(.object(object))
      return .object(object)
    case .attribute(let object, let name):
      return try attribute(name, of: evaluate(object), named: object)
    case .item(let object, let key):
      return try item(evaluate(key), of: evaluate(object), named: object)
    case .slice(let object, let from, let to, let step):
      let value = try evaluate(object)
      let bounds = try [from, to, step].map { try $0.flatMap { try integer($0) } }
      return try slice(value, bounds[0], bounds[1], bounds[2] ?? 1)
    case .call(let callee, let arguments):
      let function = try evaluate(callee)
      let given = try evaluate(arguments)
      line = expression.line
      return try call(function, given, of: callee)
    case .filter(let input, let filter):
      return try apply(filter, to: evaluate(input))
    case .test(let input, let name, let arguments, let isNegated):
      let value = try evaluate(input)
      let given = try evaluate(arguments)
      line = expression.line
      return .bool(try test(name, value, given) != isNegated)
    case .not(let operand):
      return .bool(try !evaluate(operand).isTrue)
    case .sign(let sign, let operand):
      let value = try evaluate(operand)
      if let integer = value.integer { return .integer(sign == "-" ? 0 &- integer : integer) }
      guard let number = value.double else { throw fail("a number", value.kind) }
      return .number(sign == "-" ? -number : number)
    case .binary("and", let left, let right):
      let value = try evaluate(left)
      return value.isTrue ? try evaluate(right) : value
    case .binary("or", let left, let right):
      let value = try evaluate(left)
      return value.isTrue ? value : try evaluate(right)
    case .binary(let name, let left, let right):
      let (one, two) = (try evaluate(left), try evaluate(right))
      line = expression.line
      return try apply(name, one, two)
    case .comparison(let first, let rest):
      var one = try evaluate(first)
      for (name, next) in rest {
        let two = try evaluate(next)
        line = expression.line
        guard try compare(name, one, two) else { return .bool(false) }
        one = two
      }
      return .bool(true)
    case .choice(let value, let condition, let otherwise):
      if try evaluate(condition).isTrue { return try evaluate(value) }
      return try otherwise.map { try evaluate($0) } ?? .undefined
    }
  }

  /// A value as the template prints it.
  func text(of value: TemplateValue) throws -> String {
    if case .string(let text) = value.plain { return text }
    var writer = TemplateWriter(limit: Self.mostBytes)
    writer.print(value)
    guard !writer.isFull else { throw fail("at most \(Self.mostBytes) bytes of text", "more") }
    return writer.text
  }

  private func integer(_ expression: TemplateExpression) throws -> Int? {
    let value = try evaluate(expression)
    if case .none = value { return nil }
    guard let integer = value.integer else { throw fail("an integer", value.kind) }
    return integer
  }

  func evaluate(_ arguments: TemplateArguments) throws -> TemplateCall {
    var call = TemplateCall()
    for argument in arguments.positional { call.positional.append(try evaluate(argument)) }
    for (name, value) in arguments.named { call.named.append((name, try evaluate(value))) }
    if let more = arguments.morePositional {
      call.positional += try elements(of: evaluate(more))
    }
    if let more = try arguments.moreNamed.map({ try evaluate($0) }) {
      guard case .object(let object) = more else { throw fail("a mapping after \"**\"", more.kind) }
      for (key, value) in object.members {
        guard case .string(let name) = key, !call.named.contains(where: { $0.name == name }) else {
          throw fail("strings, each once, as names of arguments", try text(of: key))
        }
        call.named.append((name, value))
      }
    }
    return call
  }

  // MARK: Members

  /// `value.name`: what Python's type has by that name goes before a mapping's member. `source` is
  /// what errors show.
  func attribute(
    _ name: String, of value: TemplateValue, named source: TemplateExpression? = nil
  ) throws -> TemplateValue {
    try requireDefined(value, source)
    if let found = ownAttribute(name, of: value) { return found }
    guard case .object(let object) = value else { return .undefined }
    return object[name] ?? .undefined
  }

  /// `value[key]`: a mapping's member goes before what its type has by that name.
  func item(
    _ key: TemplateValue, of value: TemplateValue, named source: TemplateExpression? = nil
  ) throws -> TemplateValue {
    try requireDefined(value, source)
    if case .markup(let text) = value {
      return try item(key, of: .string(text), named: source).marked
    }
    switch value {
    case .object(let object):
      if let found = object[key] { return found }
    case .array(let elements), .tuple(let elements):
      if let index = key.integer {
        let place = index < 0 ? index &+ elements.count : index
        return elements.indices.contains(place) ? elements[place] : .undefined
      }
    case .string(let text):
      if let index = key.integer {
        let scalars = Array(text.unicodeScalars)
        let place = index < 0 ? index &+ scalars.count : index
        return scalars.indices.contains(place) ? .string(String(scalars[place])) : .undefined
      }
    default: break
    }
    guard case .string(let name) = key.plain else { return .undefined }
    return ownAttribute(name, of: value) ?? .undefined
  }

  private func requireDefined(_ value: TemplateValue, _ source: TemplateExpression?) throws {
    guard value.isUndefined else { return }
    var name = "a value"
    if case .name(let variable)? = source?.kind { name = "\"\(variable)\"" }
    if case .attribute(_, let attribute)? = source?.kind { name = "\"\(attribute)\"" }
    throw fail("\(name) to be defined", "an undefined value")
  }

  /// What a value has by its type. Methods that change a value in place are not there: the sandbox
  /// that transformers uses refuses them.
  func ownAttribute(_ name: String, of value: TemplateValue) -> TemplateValue? {
    switch value {
    case .tuple(let elements) where elements.count == 2 && ["grouper", "list"].contains(name):
      // The pairs that `groupby` gives have names.
      return elements[name == "list" ? 1 : 0]
    case .reference(let reference):
      switch things[reference.place] {
      case .namespace(let object): return object[name]
      case .loop(let loop):
        if let found = loop[name] { return found }
      case .macro(let macro, _):
        if name == "name" { return .string(macro.name) }
        if name == "arguments" { return .tuple(macro.parameters.map { .string($0.name) }) }
      case .cycler(let elements, let next):
        if name == "current" { return elements[next] }
      case .iterator, .joiner: break
      }
    default: break
    }
    return Self.methods(of: value)[name] == nil ? nil : .method(value, name)
  }

  /// Python's slices.
  private func slice(
    _ value: TemplateValue, _ from: Int?, _ to: Int?, _ step: Int
  ) throws -> TemplateValue {
    guard step != 0, step != .min else { throw fail("a step other than 0", "\(step)") }
    switch value {
    case .array, .tuple, .string, .markup: break
    case .undefined: throw fail("a value to be defined", value.kind)
    default: return .undefined
    }
    let elements = try elements(of: value)
    let count = elements.count
    func clamp(_ index: Int, _ lower: Int, _ upper: Int) -> Int {
      min(max(index < 0 ? index + count : index, lower), upper)
    }
    var picked: [TemplateValue] = []
    if step > 0 {
      let end = to.map { clamp($0, 0, count) } ?? count
      var index = from.map { clamp($0, 0, count) } ?? 0
      while index < end {
        picked.append(elements[index])
        let (next, overflow) = index.addingReportingOverflow(step)
        if overflow { break }
        index = next
      }
    } else {
      let end = to.map { clamp($0, -1, count - 1) } ?? -1
      var index = from.map { clamp($0, -1, count - 1) } ?? count - 1
      while index > end {
        picked.append(elements[index])
        let (next, overflow) = index.addingReportingOverflow(step)
        if overflow { break }
        index = next
      }
    }
    switch value {
    case .string: return .string(try picked.map { try text(of: $0) }.joined())
    case .markup: return .markup(try picked.map { try text(of: $0) }.joined())
    case .tuple: return .tuple(picked)
    default: return .array(picked)
    }
  }

  // MARK: Operators

  func apply(
    _ name: String, _ one: TemplateValue, _ two: TemplateValue
  ) throws -> TemplateValue {
    switch (name, one, two) {
    case ("~", _, _): return .string(try checked(text(of: one) + text(of: two)))
    case ("+", .string(let left), .string(let right)): return .string(try checked(left + right))
    case ("+", .array(let left), .array(let right)): return .array(try checked(left + right))
    case ("+", .tuple(let left), .tuple(let right)): return .tuple(try checked(left + right))
    case ("+", .markup(let left), _), ("%", .markup(let left), _):
      return try apply(name, .string(left), escaped(two)).marked
    case ("+", .string, .markup(let right)):
      return try apply(name, escaped(one), .string(right)).marked
    case ("*", .markup(let text), _): return try apply(name, .string(text), two).marked
    case ("%", .string(let format), _): return .string(try formatted(format, with: two))
    case ("*", _, _) where two.integer == nil || one.integer == nil:
      if let repeated = try repeated(two.integer == nil ? two : one, two.integer ?? one.integer) {
        return repeated
      }
    default: break
    }
    if let left = one.integer, let right = two.integer, name != "/", name != "**" || right >= 0 {
      return .integer(try calculate(name, left, right))
    }
    guard let left = one.double, let right = two.double else {
      throw fail("two values that \"\(name)\" fits", "\(one.kind) and \(two.kind)")
    }
    return .number(try calculate(name, left, right))
  }

  /// A string, a list or a tuple, many times.
  private func repeated(
    _ value: TemplateValue, _ count: Int?
  ) throws -> TemplateValue? {
    guard let count = count.map({ max($0, 0) }) else { return nil }
    func check(_ size: Int, _ most: Int, _ unit: String) throws -> Int {
      let (all, overflow) = size.multipliedReportingOverflow(by: count)
      guard !overflow && all <= most else { throw fail("at most \(most) \(unit)", "more") }
      return size == 0 ? 0 : count
    }
    switch value {
    case .string(let text):
      let count = try check(text.utf8.count, Self.mostBytes, "bytes of text")
      return .string(String(repeating: text, count: count))
    case .array(let elements), .tuple(let elements):
      let count = try check(elements.count, Self.mostElements, "elements")
      try step(count * elements.count)
      let all = Array(repeatElement(elements, count: count).joined())
      if case .tuple = value { return .tuple(all) }
      return .array(all)
    default: return nil
    }
  }

  private func calculate(_ name: String, _ left: Int, _ right: Int) throws -> Int {
    if name == "//" || name == "%", right == 0 { throw fail("a divisor other than 0", "0") }
    var (result, overflow) =
      switch name {
      case "+": left.addingReportingOverflow(right)
      case "-": left.subtractingReportingOverflow(right)
      case "*": left.multipliedReportingOverflow(by: right)
      case "//": left.dividedReportingOverflow(by: right)
      case "%": left.remainderReportingOverflow(dividingBy: right)
      default: (1, false)
      }
    if name == "**" {
      // The powers of these do not grow.
      let count = (-1...1).contains(left) ? right % 2 + (right > 1 ? 2 : 0) : right
      for _ in 0..<count where !overflow {
        (result, overflow) = result.multipliedReportingOverflow(by: left)
      }
      if left == 0 && right > 0 { result = 0 }
    }
    guard !overflow else { throw fail("an integer of 64 bits", "a larger one") }
    // Python rounds down and gives the remainder the divisor's sign.
    let isInexact = name == "//" ? result &* right != left : result != 0
    if (name == "//" || name == "%") && isInexact && (left < 0) != (right < 0) {
      return name == "//" ? result - 1 : result + right
    }
    return result
  }

  private func calculate(_ name: String, _ left: Double, _ right: Double) throws -> Double {
    if ["/", "//", "%"].contains(name), right == 0 { throw fail("a divisor other than 0", "0") }
    var remainder: Double {
      let remainder = left.truncatingRemainder(dividingBy: right)
      return remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder
    }
    switch name {
    case "+": return left + right
    case "-": return left - right
    case "*": return left * right
    case "/": return left / right
    case "//": return ((left - remainder) / right).rounded()
    case "%": return remainder
    default:
      let power = pow(left, right)
      guard power.isFinite || !left.isFinite || !right.isFinite else {
        throw fail("a real power", "\(left) ** \(right)")
      }
      return power
    }
  }

  func compare(
    _ name: String, _ one: TemplateValue, _ two: TemplateValue
  ) throws -> Bool {
    switch name {
    case "==": return one.equals(two)
    case "!=": return !one.equals(two)
    case "in": return try contains(two, one)
    case "not in": return try !contains(two, one)
    case "<": return try isLess(one, two)
    case ">": return try isLess(two, one)
    case "<=": return try isLess(one, two) || one.equals(two)
    default: return try isLess(two, one) || one.equals(two)
    }
  }

  /// Python's order: of numbers, of strings by their scalars, of lists part by part.
  func isLess(_ one: TemplateValue, _ two: TemplateValue) throws -> Bool {
    switch (one.plain, two.plain) {
    case (.string(let left), .string(let right)):
      return left.unicodeScalars.lexicographicallyPrecedes(right.unicodeScalars)
    case (.array(let left), .array(let right)), (.tuple(let left), .tuple(let right)):
      for (left, right) in zip(left, right) where !left.equals(right) {
        return try isLess(left, right)
      }
      return left.count < right.count
    default:
      if let left = one.integer, let right = two.integer { return left < right }
      guard let left = one.double, let right = two.double else {
        throw fail("two values that have an order", "\(one.kind) and \(two.kind)")
      }
      return left < right
    }
  }

  func contains(_ container: TemplateValue, _ value: TemplateValue) throws -> Bool {
    switch (container.plain, value.plain) {
    case (.string(let text), .string(let part)):
      return part.isEmpty || text.utf8Ranges(of: part).first != nil
    case (.object(let object), _):
      guard TemplateKey(value) != nil else { throw fail("a key of a mapping", value.kind) }
      return object[value] != nil
    case (.string, _): throw fail("a string before \"in\"", value.kind)
    default:
      if case .reference(let reference) = container,
        case .iterator(let rest) = things[reference.place]
      {
        // Goes as far as it must.
        let place = rest.firstIndex { $0.equals(value) }
        things[reference.place] = .iterator(rest[(place.map { $0 + 1 } ?? rest.endIndex)...])
        return place != nil
      }
      return try elements(of: container).contains { $0.equals(value) }
    }
  }
}
