extension TemplateInterpreter {
  mutating func evaluate(_ expression: TemplateExpression) throws -> TemplateValue {
    line = expression.line
    try step()
    switch expression.kind {
    case .literal(let value): return value
    case .name(let name): return lookUp(name) ?? .undefined
    case .list(let elements):
      var values: [TemplateValue] = []
      for element in elements { values.append(try evaluate(element)) }
      let list = TemplateValue.array(values)
      try checkDepth(list)
      return list
    case .dictionary(let members):
      var object = TemplateObject()
      for (key, value) in members {
        object[try text(of: evaluate(key))] = try evaluate(value)
      }
      try checkDepth(.object(object))
      return .object(object)
    case .attribute(let object, let name):
      return try member(of: evaluate(object), .string(name), of: object)
    case .item(let object, let key):
      return try member(of: evaluate(object), evaluate(key), of: object)
    case .slice(let object, let from, let to, let step):
      let value = try evaluate(object)
      var bounds: [Int?] = []
      for bound in [from, to, step] {
        bounds.append(try bound.flatMap { try integer($0) })
      }
      return try slice(value, bounds[0], bounds[1], bounds[2] ?? 1)
    case .call(let callee, let arguments):
      return try call(callee, arguments)
    case .filter(let input, let name, let arguments):
      let value = try evaluate(input)
      let (positional, named) = try evaluate(arguments)
      line = expression.line
      return try filter(name, value, positional, named)
    case .test(let input, let name, let arguments, let isNegated):
      let value = try evaluate(input)
      let (positional, _) = try evaluate(arguments)
      line = expression.line
      return .bool(try test(name, value, positional) != isNegated)
    case .not(let operand):
      return .bool(try !evaluate(operand).isTrue)
    case .negative(let operand):
      let value = try evaluate(operand)
      if let integer = value.integer { return .integer(0 &- integer) }
      guard let number = value.double else { throw fail("a number", value.kind) }
      return .number(-number)
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
    case .choice(let value, let condition, let otherwise):
      if try evaluate(condition).isTrue { return try evaluate(value) }
      return try otherwise.map { try evaluate($0) } ?? .undefined
    }
  }

  /// A value as the template prints it.
  func text(of value: TemplateValue) throws -> String {
    if case .string(let text) = value { return text }
    var writer = TemplateWriter(limit: Self.mostBytes)
    writer.print(value)
    guard !writer.isFull else { throw fail("at most \(Self.mostBytes) bytes of text", "more") }
    return writer.text
  }

  private mutating func integer(_ expression: TemplateExpression) throws -> Int? {
    let value = try evaluate(expression)
    if case .none = value { return nil }
    guard let integer = value.integer else { throw fail("an integer", value.kind) }
    return integer
  }

  mutating func evaluate(
    _ arguments: TemplateArguments
  ) throws -> (positional: [TemplateValue], named: [String: TemplateValue]) {
    var positional: [TemplateValue] = []
    for argument in arguments.positional { positional.append(try evaluate(argument)) }
    var named: [String: TemplateValue] = [:]
    for (name, value) in arguments.named { named[name] = try evaluate(value) }
    return (positional, named)
  }

  // MARK: Members

  /// `value.key` or `value[key]`; `source` is what errors show.
  func member(
    of value: TemplateValue, _ key: TemplateValue, of source: TemplateExpression
  ) throws -> TemplateValue {
    switch (value, key) {
    case (.object(let object), .string(let name)), (.namespace(let object), .string(let name)):
      return object[name] ?? .undefined
    case (.array(let elements), _):
      guard let index = key.integer else { return .undefined }
      let place = index < 0 ? index + elements.count : index
      return elements.indices.contains(place) ? elements[place] : .undefined
    case (.string(let text), _):
      guard let index = key.integer else { return .undefined }
      let scalars = Array(text.unicodeScalars)
      let place = index < 0 ? index + scalars.count : index
      return scalars.indices.contains(place) ? .string(String(scalars[place])) : .undefined
    case (.undefined, _):
      var name = "a value"
      if case .name(let variable) = source.kind { name = "\"\(variable)\"" }
      if case .attribute(_, let attribute) = source.kind { name = "\"\(attribute)\"" }
      throw fail("\(name) to be defined", "an undefined value")
    default:
      return .undefined
    }
  }

  /// Python's slices.
  private mutating func slice(
    _ value: TemplateValue, _ from: Int?, _ to: Int?, _ step: Int
  ) throws -> TemplateValue {
    guard step != 0, step != .min else { throw fail("a step other than 0", "\(step)") }
    let elements: [TemplateValue]
    switch value {
    case .array, .string, .undefined: elements = try self.elements(of: value)
    default: throw fail("a list or a string", value.kind)
    }
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
    guard case .string = value else { return .array(picked) }
    return .string(try picked.map { try text(of: $0) }.joined())
  }

  // MARK: Operators

  func apply(
    _ name: String, _ one: TemplateValue, _ two: TemplateValue
  ) throws -> TemplateValue {
    switch name {
    case "==": return .bool(one.equals(two))
    case "!=": return .bool(!one.equals(two))
    case "in": return .bool(try contains(two, one))
    case "~": return .string(try checked(text(of: one) + text(of: two)))
    case "<", ">", "<=", ">=": return .bool(try compare(name, one, two))
    default: break
    }
    switch (name, one, two) {
    case ("+", .string(let left), .string(let right)): return .string(try checked(left + right))
    case ("+", .array(let left), .array(let right)): return try checked(left + right)
    case ("*", .string(let text), _), ("*", _, .string(let text)):
      guard let count = two.integer ?? one.integer else { break }
      guard text.utf8.count.multipliedReportingOverflow(by: max(count, 0)).overflow == false,
        text.utf8.count * max(count, 0) <= Self.mostBytes
      else { throw fail("at most \(Self.mostBytes) bytes of text", "more") }
      return .string(String(repeating: text, count: text.isEmpty ? 0 : max(count, 0)))
    case ("%", .string, _):
      throw fail("numbers around \"%\"", "a string")
    default: break
    }
    if let left = one.integer, let right = two.integer, name != "/", name != "**" {
      return .integer(try calculate(name, left, right))
    }
    guard let left = one.double, let right = two.double else {
      throw fail("two values that \"\(name)\" fits", "\(one.kind) and \(two.kind)")
    }
    return .number(try calculate(name, left, right))
  }

  private func calculate(_ name: String, _ left: Int, _ right: Int) throws -> Int {
    if name == "//" || name == "%", right == 0 { throw fail("a divisor other than 0", "0") }
    let (result, overflow) =
      switch name {
      case "+": left.addingReportingOverflow(right)
      case "-": left.subtractingReportingOverflow(right)
      case "*": left.multipliedReportingOverflow(by: right)
      case "//": left.dividedReportingOverflow(by: right)
      default: left.remainderReportingOverflow(dividingBy: right)
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
    switch name {
    case "+": return left + right
    case "-": return left - right
    case "*": return left * right
    case "/": return left / right
    case "//": return (left / right).rounded(.down)
    case "%": return left - right * (left / right).rounded(.down)
    default: throw fail("+, -, *, /, // or %", "\"\(name)\"")
    }
  }

  private func compare(_ name: String, _ one: TemplateValue, _ two: TemplateValue) throws -> Bool {
    let (isLess, isEqual): (Bool, Bool)
    if case .string(let left) = one, case .string(let right) = two {
      isLess = left.unicodeScalars.lexicographicallyPrecedes(right.unicodeScalars)
      isEqual = one.equals(two)
    } else if let left = one.double, let right = two.double {
      (isLess, isEqual) = (left < right, left == right)
    } else {
      throw fail("two numbers or two strings around \"\(name)\"", "\(one.kind) and \(two.kind)")
    }
    switch name {
    case "<": return isLess
    case "<=": return isLess || isEqual
    case ">": return !isLess && !isEqual
    default: return !isLess
    }
  }

  func contains(_ container: TemplateValue, _ value: TemplateValue) throws -> Bool {
    switch (container, value) {
    case (.string(let text), .string(let part)):
      return part.isEmpty || text.utf8Ranges(of: part).first != nil
    case (.array(let elements), _): return elements.contains { $0.equals(value) }
    case (.object(let object), .string(let name)), (.namespace(let object), .string(let name)):
      return object[name] != nil
    case (.undefined, _), (.object, _): return false
    default: throw fail("a list, a mapping or a string after \"in\"", container.kind)
    }
  }
}
