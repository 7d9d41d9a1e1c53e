/// The parameters of a function, filter, test or method, written as words: `old new count?`. A `?`
/// marks what may be left out; what stands before `/` cannot be named; `*` takes any number of
/// values and `**` any names.
struct TemplateSignature: ExpressibleByStringLiteral {
  private(set) var parameters: [String] = []
  private(set) var required = 0
  /// How many of the parameters have no name.
  private(set) var nameless = 0
  private(set) var takesMore = false
  private(set) var takesNames = false

  init(stringLiteral text: String) {
    for word in text.split(separator: " ") {
      switch word {
      case "*": takesMore = true
      case "**": takesNames = true
      case "/": nameless = parameters.count
      default:
        let isOptional = word.hasSuffix("?")
        parameters.append(String(isOptional ? word.dropLast() : word))
        if !isOptional { required = parameters.count }
      }
    }
  }
}

/// What a call is given.
struct TemplateCall {
  var positional: [TemplateValue] = []
  var named: [(name: String, value: TemplateValue)] = []
}

/// What a call gives to each parameter of a signature.
struct TemplateBinding {
  private var values: [String: TemplateValue] = [:]
  /// For `*` and `**`.
  private(set) var more: [TemplateValue] = []
  private(set) var moreNamed: [(name: String, value: TemplateValue)] = []
  /// What is called, for errors.
  private let name: String
  private let line: Int

  init(
    _ call: TemplateCall, to signature: TemplateSignature, of name: String, line: Int
  ) throws {
    self.name = name
    self.line = line
    let parameters = signature.parameters
    if call.positional.count > parameters.count && !signature.takesMore {
      throw fail("at most \(parameters.count) arguments", "\(call.positional.count)")
    }
    for (parameter, value) in zip(parameters, call.positional) { values[parameter] = value }
    more = Array(call.positional.dropFirst(parameters.count))
    for (given, value) in call.named {
      if parameters.dropFirst(signature.nameless).contains(given) {
        guard values.updateValue(value, forKey: given) == nil else {
          throw fail("one value of \"\(given)\"", "two")
        }
      } else if signature.takesNames {
        moreNamed.append((given, value))
      } else {
        let names = parameters.dropFirst(signature.nameless).map { "\"\($0)\"" }
        throw fail(
          names.isEmpty ? "no named arguments" : "arguments named \(names.joined(separator: ", "))",
          "\"\(given)\"")
      }
    }
    if let missing = parameters.prefix(signature.required).first(where: { values[$0] == nil }) {
      throw fail("a value of \"\(missing)\"", "nothing")
    }
  }

  func fail(_ expected: String, _ found: String) -> TokenizationError {
    .template(line: line, expected: "\(expected) in \(name)", found: found)
  }

  /// Nothing where nothing is given.
  subscript(parameter: String) -> TemplateValue? { values[parameter] }

  /// Nothing also where none is given.
  func value(_ parameter: String) -> TemplateValue? {
    values[parameter].flatMap { $0.isNone ? nil : $0 }
  }

  func text(_ parameter: String) throws -> String? {
    guard let value = value(parameter) else { return nil }
    guard case .string(let text) = value.plain else {
      throw fail("a string as \"\(parameter)\"", value.kind)
    }
    return text
  }

  /// The text of a required parameter.
  func string(_ parameter: String) throws -> String {
    guard let text = try text(parameter) else { throw fail("a string as \"\(parameter)\"", "none") }
    return text
  }

  func integer(_ parameter: String) throws -> Int? {
    guard let value = value(parameter) else { return nil }
    guard let integer = value.integer else {
      throw fail("an integer as \"\(parameter)\"", value.kind)
    }
    return integer
  }

  func integer(_ parameter: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let integer = try integer(parameter) else { return nil }
    guard range.contains(integer) else {
      throw fail(
        "a \"\(parameter)\" from \(range.lowerBound) to \(range.upperBound)", "\(integer)")
    }
    return integer
  }

  func isTrue(_ parameter: String) -> Bool { values[parameter]?.isTrue ?? false }
}
