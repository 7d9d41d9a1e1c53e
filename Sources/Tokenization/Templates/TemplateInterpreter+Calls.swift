import Foundation

extension TemplateInterpreter {
  mutating func call(
    _ callee: TemplateExpression, _ arguments: TemplateArguments
  ) throws -> TemplateValue {
    let callLine = line
    switch callee.kind {
    case .name(let name):
      let (positional, named) = try evaluate(arguments)
      line = callLine
      if hasMacro(name) { return try callMacro(name, positional, named) }
      return try callFunction(name, positional, named)
    case .attribute(let receiver, let name):
      let value = try evaluate(receiver)
      let (positional, named) = try evaluate(arguments)
      line = callLine
      switch value {
      case .string(let text): return try callMethod(name, text, positional, named)
      case .object(let object), .namespace(let object):
        return try callMethod(name, object, positional)
      case .undefined: throw fail("a value with a method \"\(name)\"", value.kind)
      default: throw fail("a string or a mapping before \".\(name)()\"", value.kind)
      }
    default:
      throw fail("a function, a macro or a method", "another value")
    }
  }

  // MARK: Functions

  private mutating func callFunction(
    _ name: String, _ arguments: [TemplateValue], _ named: [String: TemplateValue]
  ) throws -> TemplateValue {
    switch name {
    case "raise_exception":
      throw TokenizationError.templateRaised(try text(of: arguments.first ?? .undefined))
    case "namespace", "dict":
      var object = TemplateObject()
      if case .object(let first)? = arguments.first { object = first }
      for key in named.keys.sorted() { object[key] = named[key] }
      return name == "dict" ? .object(object) : .namespace(object)
    case "range":
      let numbers = arguments.compactMap(\.integer)
      guard numbers.count == arguments.count, (1...3).contains(numbers.count) else {
        throw fail("one to three integers in range()", "something else")
      }
      let step = numbers.count == 3 ? numbers[2] : 1
      guard step != 0 else { throw fail("a step other than 0", "0") }
      let (from, to) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
      var values: [TemplateValue] = []
      for value in stride(from: from, to: to, by: step) {
        try self.step()
        values.append(.integer(value))
        guard values.count <= 100_000 else { throw fail("a range of at most 100000", "more") }
      }
      return .array(values)
    case "strftime_now":
      return .string(try formattedDate(text(of: arguments.first ?? .undefined)))
    default:
      throw fail("a function or a macro", "\"\(name)\"")
    }
  }

  /// `datetime.now().strftime`, for the letters that templates use.
  private func formattedDate(_ format: String) throws -> String {
    let calendar = Calendar(identifier: .gregorian)
    let parts = calendar.dateComponents(
      [.year, .month, .day, .hour, .minute, .second, .weekday], from: now)
    let months = [
      "January", "February", "March", "April", "May", "June", "July", "August", "September",
      "October", "November", "December",
    ]
    let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    let month = months[max((parts.month ?? 1) - 1, 0) % 12]
    let day = days[max((parts.weekday ?? 1) - 1, 0) % 7]
    func two(_ value: Int?) -> String {
      let value = value ?? 0
      return value < 10 ? "0\(value)" : "\(value)"
    }
    var result = ""
    var isLetter = false
    for character in format.unicodeScalars {
      guard isLetter || character == "%" else {
        result.unicodeScalars.append(character)
        continue
      }
      guard isLetter else {
        isLetter = true
        continue
      }
      isLetter = false
      switch character {
      case "Y": result += "\(parts.year ?? 0)"
      case "y": result += two((parts.year ?? 0) % 100)
      case "m": result += two(parts.month)
      case "d": result += two(parts.day)
      case "H": result += two(parts.hour)
      case "M": result += two(parts.minute)
      case "S": result += two(parts.second)
      case "B": result += month
      case "b": result += month.prefix(3)
      case "A": result += day
      case "a": result += day.prefix(3)
      case "%": result += "%"
      default: throw fail("one of %Y %y %m %d %H %M %S %B %b %A %a", "\"%\(character)\"")
      }
    }
    return result
  }

  // MARK: Methods

  private mutating func callMethod(
    _ name: String, _ object: TemplateObject, _ arguments: [TemplateValue]
  ) throws -> TemplateValue {
    try step(object.names.count)
    switch name {
    case "items": return .array(object.members.map { .array([.string($0.name), $0.value]) })
    case "keys": return .array(object.names.map { .string($0) })
    case "values": return .array(object.members.map(\.value))
    case "get":
      let key = try text(of: arguments.first ?? .undefined)
      return object[key] ?? (arguments.count > 1 ? arguments[1] : .none)
    default: throw fail("items, keys, values or get of a mapping", "\"\(name)\"")
    }
  }

  private mutating func callMethod(
    _ name: String, _ string: String, _ arguments: [TemplateValue],
    _ named: [String: TemplateValue]
  ) throws -> TemplateValue {
    try step(string.utf8.count / 64)
    func argument(_ index: Int) throws -> String {
      guard index < arguments.count, case .string(let text) = arguments[index] else {
        throw fail("a string as argument \(index + 1) of \(name)", "something else")
      }
      return text
    }
    func ends(_ matches: (String) -> Bool) throws -> TemplateValue {
      guard case .array(let candidates)? = arguments.first else {
        return .bool(matches(try argument(0)))
      }
      return .bool(try candidates.contains { matches(try text(of: $0)) })
    }
    switch name {
    case "strip", "lstrip", "rstrip":
      let set = arguments.isEmpty ? nil : try argument(0)
      return .string(
        string.stripped(of: set, left: name != "rstrip", right: name != "lstrip"))
    case "split", "rsplit":
      let most = (arguments.count > 1 ? arguments[1] : named["maxsplit"])?.integer ?? -1
      let separator: String? =
        if case .none? = arguments.first { nil } else {
          arguments.isEmpty ? nil : try argument(0)
        }
      if separator?.isEmpty == true { throw fail("a separator", "an empty string") }
      let parts = string.split(by: separator, most: most, fromRight: name == "rsplit")
      return try checked(parts.map { .string($0) })
    case "splitlines":
      var lines = string.split(by: "\n", most: -1, fromRight: false)
      if lines.last == "" { lines.removeLast() }
      return try checked(lines.map { .string($0) })
    case "startswith": return try ends { string.utf8.starts(with: $0.utf8) }
    case "endswith": return try ends { string.utf8.reversed().starts(with: $0.utf8.reversed()) }
    case "removeprefix":
      let part = try argument(0)
      return .string(
        string.utf8.starts(with: part.utf8)
          ? String(decoding: string.utf8.dropFirst(part.utf8.count), as: UTF8.self) : string)
    case "removesuffix":
      let part = try argument(0)
      return .string(
        string.utf8.reversed().starts(with: part.utf8.reversed())
          ? String(decoding: string.utf8.dropLast(part.utf8.count), as: UTF8.self) : string)
    case "replace":
      let most = (arguments.count > 2 ? arguments[2] : named["count"])?.integer ?? -1
      return .string(try replace(string, try argument(0), try argument(1), most: most))
    case "find":
      let part = try argument(0)
      guard let range = string.utf8Ranges(of: part).first else { return .integer(-1) }
      let head = String(decoding: Array(string.utf8)[..<range.lowerBound], as: UTF8.self)
      return .integer(head.unicodeScalars.count)
    case "count": return .integer(string.utf8Ranges(of: try argument(0)).count)
    case "join":
      let parts = try elements(of: arguments.first ?? .undefined).map { try text(of: $0) }
      return .string(try checked(parts.joined(separator: string)))
    case "isdigit":
      return .bool(
        !string.isEmpty
          && string.unicodeScalars.allSatisfy { $0.properties.numericType == .decimal })
    case "upper", "lower", "title", "capitalize":
      return try filter(name, .string(string), [], [:])
    default: throw fail("a method of strings", "\"\(name)\"")
    }
  }

  func replace(_ text: String, _ old: String, _ new: String, most: Int) throws -> String {
    guard !old.isEmpty else { throw fail("a text to replace", "an empty string") }
    let ranges = text.utf8Ranges(of: old)
    let count = most < 0 ? ranges.count : min(most, ranges.count)
    guard text.utf8.count + count * new.utf8.count <= Self.mostBytes else {
      throw fail("at most \(Self.mostBytes) bytes of text", "more")
    }
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var end = 0
    for range in ranges.prefix(count) {
      result += bytes[end..<range.lowerBound]
      result += new.utf8
      end = range.upperBound
    }
    return String(decoding: result + bytes[end...], as: UTF8.self)
  }
}

extension String {
  /// Where a part stands, by bytes and without overlaps: Swift compares characters, Python scalars.
  func utf8Ranges(of part: String) -> [Range<Int>] {
    let (bytes, wanted) = (Array(utf8), Array(part.utf8))
    guard !wanted.isEmpty, bytes.count >= wanted.count else { return [] }
    var ranges: [Range<Int>] = []
    var index = 0
    while index + wanted.count <= bytes.count {
      if bytes[index] == wanted[0], bytes[index..<(index + wanted.count)].elementsEqual(wanted) {
        ranges.append(index..<(index + wanted.count))
        index += wanted.count
      } else {
        index += 1
      }
    }
    return ranges
  }

  /// Python's `strip`: of whitespace, or of the scalars of `set`.
  func stripped(of set: String?, left: Bool, right: Bool) -> String {
    let wanted = set.map { Set($0.unicodeScalars) }
    func goes(_ scalar: Unicode.Scalar) -> Bool {
      wanted?.contains(scalar)
        ?? (scalar.properties.isWhitespace || ("\u{1C}"..."\u{1F}").contains(scalar))
    }
    var scalars = unicodeScalars[...]
    while left, let first = scalars.first, goes(first) { scalars.removeFirst() }
    while right, let last = scalars.last, goes(last) { scalars.removeLast() }
    return String(scalars)
  }

  /// Python's `split` and `rsplit`; without a separator at runs of whitespace.
  func split(by separator: String?, most: Int, fromRight: Bool) -> [String] {
    guard let separator else {
      let words = unicodeScalars.split(whereSeparator: \.properties.isWhitespace).map { String($0) }
      guard most >= 0, words.count > most + 1 else { return words }
      return fromRight
        ? [words.dropLast(most).joined(separator: " ")] + words.suffix(most)
        : words.prefix(most) + [words.dropFirst(most).joined(separator: " ")]
    }
    var ranges = utf8Ranges(of: separator)
    if most >= 0, ranges.count > most {
      ranges = Array(fromRight ? ranges.suffix(most) : ranges.prefix(most))
    }
    let bytes = Array(utf8)
    var parts: [String] = []
    var start = 0
    for range in ranges {
      parts.append(String(decoding: bytes[start..<range.lowerBound], as: UTF8.self))
      start = range.upperBound
    }
    return parts + [String(decoding: bytes[start...], as: UTF8.self)]
  }
}
