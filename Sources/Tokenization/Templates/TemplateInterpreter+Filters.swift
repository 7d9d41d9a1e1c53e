import Foundation

/// Jinja's filters, and the `tojson` that transformers puts in the place of Jinja's.
extension TemplateInterpreter {
  static let filters: [String: TemplateSignature] = [
    "abs": "", "attr": "name", "batch": "linecount fill_with?", "capitalize": "",
    "center": "width?", "count": "", "d": "default_value? boolean?",
    "default": "default_value? boolean?", "dictsort": "case_sensitive? by? reverse?", "e": "",
    "escape": "", "filesizeformat": "binary?", "first": "", "float": "default?",
    "forceescape": "", "format": "* **", "groupby": "attribute default? case_sensitive?",
    "indent": "width? first? blank?", "int": "default? base?", "items": "",
    "join": "d? attribute?", "last": "", "length": "", "list": "", "lower": "", "map": "* **",
    "max": "case_sensitive? attribute?", "min": "case_sensitive? attribute?", "reject": "*",
    "rejectattr": "*", "replace": "old new count?", "reverse": "", "round": "precision? method?",
    "safe": "", "select": "*", "selectattr": "*", "slice": "slices fill_with?",
    "sort": "reverse? case_sensitive? attribute?", "string": "", "sum": "attribute? start?",
    "title": "", "tojson": "ensure_ascii? indent? separators? sort_keys?", "trim": "chars?",
    "truncate": "length? killwords? end? leeway?", "unique": "case_sensitive? attribute?",
    "upper": "", "urlencode": "", "wordcount": "", "xmlattr": "autospace?",
  ]

  func apply(
    _ filter: TemplateFilter, to value: TemplateValue
  ) throws -> TemplateValue {
    let given = try evaluate(filter.arguments)
    line = filter.line
    return try self.filter(filter.name, value, given)
  }

  private func filter(
    _ name: String, _ value: TemplateValue, _ call: TemplateCall
  ) throws -> TemplateValue {
    try step()
    guard let signature = Self.filters[name] else { throw fail("a filter", "\"\(name)\"") }
    let given = try bind(call, to: signature, of: "the filter \"\(name)\"")
    if case .markup(let text) = value {
      let result = try self.filter(name, .string(text), call)
      switch name {
      case "e", "escape", "d", "default": return value
      case "trim", "upper", "lower", "capitalize", "indent", "center", "truncate", "string",
        "reverse", "format":
        return result.marked
      default: return result
      }
    }
    switch name {
    case "default", "d":
      let isMissing = value.isUndefined || (given.isTrue("boolean") && !value.isTrue)
      return isMissing ? given["default_value"] ?? "" : value
    case "attr": return try attribute(name: given.string("name"), of: value)
    case "tojson": return .string(try json(value, given))
    case "int", "float", "abs", "round", "filesizeformat":
      return try numberFilter(name, value, given)
    case "trim", "upper", "lower", "capitalize", "title", "string", "safe", "replace", "indent",
      "escape", "e", "forceescape", "center", "format", "truncate", "wordcount", "urlencode":
      return try textFilter(name, value, given)
    case "xmlattr": return .markup(try attributes(of: value, given))
    case "map": return try mapped(value, given)
    case "select", "reject", "selectattr", "rejectattr": return try chosen(name, value, given)
    case "sort", "unique", "min", "max", "groupby", "dictsort":
      return try orderFilter(name, value, given)
    default: return try listFilter(name, value, given)
    }
  }

  /// What a type has by a name, not a mapping's member.
  private func attribute(name: String, of value: TemplateValue) throws -> TemplateValue {
    ownAttribute(name, of: value) ?? .undefined
  }

  // MARK: Numbers

  private func numberFilter(
    _ name: String, _ value: TemplateValue, _ given: TemplateBinding
  ) throws -> TemplateValue {
    if value.isUndefined { throw fail("a number", value.kind) }
    switch name {
    case "int":
      if let integer = value.integer { return .integer(integer) }
      if case .string(let text) = value,
        let integer = integer(of: text, base: try given.integer("base", in: 2...36) ?? 10)
      {
        return .integer(integer)
      }
      let number = double(of: value) ?? .nan
      if abs(number) < 9.2e18 { return .integer(Int(number)) }
      return given["default"] ?? .integer(0)
    case "float": return double(of: value).map { .number($0) } ?? given["default"] ?? .number(0)
    case "abs":
      if let number = value.integer, number != .min { return .integer(Swift.abs(number)) }
      guard let number = value.double else { throw fail("a number", value.kind) }
      return .number(Swift.abs(number))
    case "round": return try rounded(value, given)
    default:
      guard let size = double(of: value) else { throw fail("a number", value.kind) }
      return .string(fileSize(size, isBinary: given.isTrue("binary")))
    }
  }

  /// Python's `int(text, base)`.
  private func integer(of text: String, base: Int) -> Int? {
    var digits = text.stripped(of: nil, left: true, right: true).lowercased()
    guard digits.utf8.count <= 400,
      digits.wholeMatch(of: /[+-]?[0-9a-z]+(_[0-9a-z]+)*/) != nil
    else { return nil }
    digits.removeAll { $0 == "_" }
    let prefix = [2: "0b", 8: "0o", 16: "0x"][base]
    if let prefix, let range = digits.range(of: prefix), digits[..<range.lowerBound].count <= 1 {
      digits.removeSubrange(range)
    }
    return Int(digits, radix: base)
  }

  /// Python's `float(value)`.
  private func double(of value: TemplateValue) -> Double? {
    guard case .string(let text) = value else { return value.double }
    let digits = text.stripped(of: nil, left: true, right: true).lowercased()
    guard digits.utf8.count <= 400 else { return nil }
    if digits.wholeMatch(of: /[+-]?(inf|infinity|nan)/) != nil { return Double(digits) }
    guard digits.wholeMatch(of: /[+-]?[0-9._]+(e[+-]?[0-9_]+)?/) != nil else { return nil }
    return Double(digits.filter { $0 != "_" })
  }

  private func rounded(_ value: TemplateValue, _ given: TemplateBinding) throws -> TemplateValue {
    let precision = try given.integer("precision", in: -300...300) ?? 0
    let method = try given.text("method") ?? "common"
    guard let number = value.double else { throw fail("a number", value.kind) }
    let scale = pow(10, Double(precision))
    switch method {
    case "common":
      if let integer = value.integer, precision >= 0 { return .integer(integer) }
      if precision >= 0 {
        return .number(Double(String(format: "%.\(precision)f", number)) ?? number)
      }
      let result = (number * scale).rounded(.toNearestOrEven) / scale
      return value.integer == nil ? .number(result) : .integer(Int(result))
    case "ceil", "floor":
      return .number((number * scale).rounded(method == "ceil" ? .up : .down) / scale)
    default: throw given.fail("\"common\", \"ceil\" or \"floor\"", "\"\(method)\"")
    }
  }

  private func fileSize(_ size: Double, isBinary: Bool) -> String {
    let base = isBinary ? 1024.0 : 1000
    if size == 1 { return "1 Byte" }
    if size < base { return "\(Int(max(size, -9e18))) Bytes" }
    var unit = base * base
    let prefixes = ["k", "M", "G", "T", "P", "E", "Z", "Y"]
    for (index, prefix) in prefixes.enumerated() {
      if size < unit || index == prefixes.count - 1 {
        let name = isBinary ? "\(prefix.uppercased())iB" : "\(prefix)B"
        return String(format: "%.1f ", base * size / unit) + name
      }
      unit *= base
    }
    return ""
  }

  // MARK: Text

  private func textFilter(
    _ name: String, _ value: TemplateValue, _ given: TemplateBinding
  ) throws -> TemplateValue {
    let text = try text(of: value)
    switch name {
    case "trim":
      return .string(text.stripped(of: try given.text("chars"), left: true, right: true))
    case "upper": return .string(text.uppercased())
    case "lower": return .string(text.lowercased())
    case "capitalize": return .string(text.capitalizedByPython)
    case "title": return .string(titled(text))
    case "replace":
      return .string(
        try replace(
          text, self.text(of: given["old"] ?? ""), self.text(of: given["new"] ?? ""),
          most: try given.integer("count") ?? -1))
    case "indent": return .string(try indented(text, given))
    case "safe": return .markup(text)
    case "escape", "e", "forceescape": return .markup(try escaped(text))
    case "center":
      let width = try given.integer("width", in: Int.min...Self.mostElements) ?? 80
      return .string(text.padded(to: width, with: " ", align: "^", isCentred: true))
    case "format":
      guard given.more.isEmpty || given.moreNamed.isEmpty else {
        throw given.fail("values without names or with names", "both")
      }
      var named = TemplateObject()
      for (name, value) in given.moreNamed { named[name] = value }
      return .string(
        try formatted(
          text, with: given.moreNamed.isEmpty ? .tuple(given.more) : .object(named)))
    case "truncate": return .string(try truncated(text, given))
    case "wordcount":
      let words = text.unicodeScalars.split { !($0.isWordPart || $0 == "_") }
      return .integer(words.count)
    case "urlencode":
      guard value.sequence == nil || { if case .string = value { true } else { false } }() else {
        return .string(try query(of: value))
      }
      return .string(percentEncoded(text, isQuery: false))
    default: return .string(text)
    }
  }

  /// What markup does with strings that become part of it.
  func escaped(_ value: TemplateValue) throws -> TemplateValue {
    switch value {
    case .string(let text): return .string(try escaped(text))
    case .array(let elements): return .array(try elements.map { try escaped($0) })
    case .tuple(let elements): return .tuple(try elements.map { try escaped($0) })
    case .object(let object):
      var result = TemplateObject()
      for (key, value) in object.members { _ = result.set(key, try escaped(value)) }
      return .object(result)
    default: return value.plain
    }
  }

  private func escaped(_ text: String) throws -> String {
    try [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;"), ("\"", "&#34;")].reduce(text)
    { try replace($0, $1.0, $1.1, most: -1) }
  }

  private func titled(_ text: String) -> String {
    var isInside = false
    return text.unicodeScalars.map { scalar in
      defer { isInside = !(scalar.isSpace || "-({[<".unicodeScalars.contains(scalar)) }
      return isInside ? scalar.properties.lowercaseMapping : scalar.properties.uppercaseMapping
    }.joined()
  }

  private func indented(_ text: String, _ given: TemplateBinding) throws -> String {
    var space = ""
    if case .string(let text)? = given["width"] {
      space = text
    } else {
      space = String(repeating: " ", count: try given.integer("width", in: 0...1_000) ?? 4)
    }
    let lines = (text + "\n").lines()
    try step(lines.count * (1 + space.utf8.count / 16))
    let indented = lines.enumerated().map { index, line in
      let isKept = index == 0 ? !given.isTrue("first") : line.isEmpty && !given.isTrue("blank")
      return isKept ? line : space + line
    }
    return try joined(indented, by: "\n")
  }

  private func truncated(_ text: String, _ given: TemplateBinding) throws -> String {
    let length = try given.integer("length") ?? 255
    let end = try given.text("end") ?? "..."
    let leeway = try given.integer("leeway", in: 0...Int.max / 2) ?? 5
    let room = length - end.unicodeScalars.count
    guard room >= 0, length < Int.max / 2 else {
      throw given.fail("a length of at least \"end\"'s", "\(length)")
    }
    let scalars = text.unicodeScalars
    if scalars.count <= length + leeway { return text }
    let kept = String(scalars.prefix(room))
    if given.isTrue("killwords") { return kept + end }
    return kept.split(by: " ", most: 1, fromRight: true)[0] + end
  }

  private func percentEncoded(_ text: String, isQuery: Bool) -> String {
    let kept = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~"
    let allowed = Set(kept.utf8).union(isQuery ? [] : [UInt8(ascii: "/")])
    return text.utf8.map { byte in
      if allowed.contains(byte) { return String(UnicodeScalar(byte)) }
      return isQuery && byte == UInt8(ascii: " ") ? "+" : String(format: "%%%02X", byte)
    }.joined()
  }

  private func query(of value: TemplateValue) throws -> String {
    var pairs = try elements(of: value)
    if case .object(let object) = value {
      pairs = object.members.map { .tuple([$0.key, $0.value]) }
    }
    return try pairs.map { pair in
      let parts = try elements(of: pair)
      guard parts.count == 2 else { throw fail("pairs of a name and a value", pair.kind) }
      return try parts.map { percentEncoded(try text(of: $0), isQuery: true) }
        .joined(separator: "=")
    }.joined(separator: "&")
  }

  private func attributes(of value: TemplateValue, _ given: TemplateBinding) throws -> String {
    guard case .object(let object) = value else { throw fail("a mapping", value.kind) }
    let parts = try object.members.compactMap { key, value -> String? in
      if value.isNone || value.isUndefined { return nil }
      let name = try text(of: key)
      guard
        !name.unicodeScalars.contains(where: { $0.isSpace || "/>=".unicodeScalars.contains($0) })
      else { throw fail("a name of an attribute", "\"\(name)\"") }
      return try escaped(name) + "=\"" + escaped(text(of: value)) + "\""
    }
    let isSpaced = given["autospace"]?.isTrue ?? true
    return (isSpaced && !parts.isEmpty ? " " : "") + parts.joined(separator: " ")
  }

  /// transformers' filter.
  private func json(_ value: TemplateValue, _ given: TemplateBinding) throws -> String {
    var style = TemplateWriter.Style()
    if case .string(let text)? = given["indent"] {
      style.indent = text
    } else if let width = try given.integer("indent", in: Int.min...64) {
      style.indent = String(repeating: " ", count: max(width, 0))
    }
    if style.indent != nil { style.itemSeparator = "," }
    if let separators = given.value("separators") {
      guard let parts = separators.sequence, parts.count == 2,
        case .string(let item) = parts[0], case .string(let key) = parts[1]
      else { throw given.fail("two strings as \"separators\"", separators.kind) }
      (style.itemSeparator, style.keySeparator) = (item, key)
    }
    style.sortsKeys = given.isTrue("sort_keys")
    style.isASCII = given.isTrue("ensure_ascii")
    var writer = TemplateWriter(limit: Self.mostBytes, style: style)
    guard writer.json(value) else { throw fail("a value that JSON knows", value.kind) }
    guard !writer.isFull else { throw fail("at most \(Self.mostBytes) bytes of text", "more") }
    return writer.text
  }

  // MARK: Lists

  private func listFilter(
    _ name: String, _ value: TemplateValue, _ given: TemplateBinding
  ) throws -> TemplateValue {
    switch name {
    case "length", "count":
      if case .string(let text) = value { return .integer(text.unicodeScalars.count) }
      guard let elements = value.sequence else { throw fail("a list", value.kind) }
      return .integer(elements.count)
    case "first":
      if case .reference(let reference) = value,
        case .iterator(var rest) = things[reference.place]
      {
        let first = rest.popFirst()
        things[reference.place] = .iterator(rest)
        return first ?? .undefined
      }
      return try elements(of: value).first ?? .undefined
    case "last":
      guard let elements = value.sequence else { throw fail("a list", value.kind) }
      return elements.last ?? .undefined
    case "list": return .array(try elements(of: value))
    case "reverse":
      let reversed = Array(try elements(of: value).reversed())
      guard case .string = value else { return iterator(reversed) }
      return .string(try reversed.map { try text(of: $0) }.joined())
    case "items":
      if value.isUndefined { return iterator([]) }
      guard case .object(let object) = value else { throw fail("a mapping", value.kind) }
      return iterator(object.members.map { .tuple([$0.key, $0.value]) })
    case "join":
      let parts = try elements(of: value).map { element in
        try text(of: given.value("attribute").map { try attributeValue(element, $0) } ?? element)
      }
      return .string(try joined(parts, by: text(of: given["d"] ?? "")))
    case "sum":
      return try elements(of: value).reduce(given["start"] ?? .integer(0)) { sum, element in
        try apply(
          "+", sum, given.value("attribute").map { try attributeValue(element, $0) } ?? element)
      }
    case "batch":
      let count = try given.integer("linecount", in: 1...Self.mostElements) ?? 1
      let all = try elements(of: value)
      var rows = stride(from: 0, to: all.count, by: count).map { start in
        Array(all[start..<min(start + count, all.count)])
      }
      if let fill = given.value("fill_with"), let last = rows.last {
        try step(count - last.count)
        rows[rows.count - 1] += Array(repeating: fill, count: count - last.count)
      }
      return try nested(rows)
    default:
      let count = try given.integer("slices", in: 1...Self.mostElements) ?? 1
      let all = try elements(of: value)
      try step(count)
      let (size, longer) = all.count.quotientAndRemainder(dividingBy: count)
      var rest = all[...]
      return try nested(
        (0..<count).map { index in
          let row = rest.prefix(size + (index < longer ? 1 : 0))
          rest = rest.dropFirst(row.count)
          return Array(row) + (index < longer ? [] : given.value("fill_with").map { [$0] } ?? [])
        })
    }
  }

  /// Rows of values, which may nest deeper than what they are made of.
  private func nested(_ rows: [[TemplateValue]]) throws -> TemplateValue {
    let rows = rows.map { TemplateValue.array($0) }
    try checkDepth(.array(rows))
    return iterator(rows)
  }

  private func mapped(
    _ value: TemplateValue, _ given: TemplateBinding
  ) throws -> TemplateValue {
    guard value.isTrue else { return iterator([]) }
    let names = given.moreNamed.map(\.name)
    guard let first = given.more.first else {
      guard let attribute = given.moreNamed.first(where: { $0.name == "attribute" })?.value else {
        throw given.fail("a filter's name or an attribute", "neither")
      }
      guard let other = names.first(where: { !["attribute", "default"].contains($0) }) else {
        let standard = given.moreNamed.first { $0.name == "default" }?.value
        return iterator(
          try elements(of: value).map { try attributeValue($0, attribute, else: standard) })
      }
      throw given.fail("\"attribute\" and \"default\"", "\"\(other)\"")
    }
    guard case .string(let name) = first else { throw given.fail("a filter's name", first.kind) }
    let call = TemplateCall(positional: Array(given.more.dropFirst()), named: given.moreNamed)
    return iterator(try elements(of: value).map { try filter(name, $0, call) })
  }

  private func chosen(
    _ name: String, _ value: TemplateValue, _ given: TemplateBinding
  ) throws -> TemplateValue {
    guard value.isTrue else { return iterator([]) }
    var arguments = given.more[...]
    var attribute: TemplateValue?
    if name.hasSuffix("attr") {
      attribute = arguments.popFirst()
      if attribute == nil { throw given.fail("an attribute's name", "nothing") }
    }
    let testName = try arguments.popFirst().map { try text(of: $0) }
    let call = TemplateCall(positional: Array(arguments))
    return iterator(
      try elements(of: value).filter { element in
        let found = try attribute.map { try attributeValue(element, $0) } ?? element
        let holds = try testName.map { try test($0, found, call) } ?? found.isTrue
        return holds == name.hasPrefix("select")
      })
  }

  /// Filters that compare elements, or what `attribute` is of them; strings without regard to case
  /// unless `case_sensitive`.
  private func orderFilter(
    _ name: String, _ value: TemplateValue, _ given: TemplateBinding
  ) throws -> TemplateValue {
    func folded(_ value: TemplateValue) -> TemplateValue {
      guard case .string(let text) = value, !given.isTrue("case_sensitive") else { return value }
      return .string(text.lowercased())
    }
    if name == "dictsort" {
      guard case .object(let object) = value else { throw fail("a mapping", value.kind) }
      let by = try given.text("by") ?? "key"
      guard ["key", "value"].contains(by) else { throw given.fail("\"key\" or \"value\"", by) }
      let pairs = object.members.map { member in
        (
          key: folded(by == "key" ? member.key : member.value),
          value: TemplateValue.tuple([member.key, member.value])
        )
      }
      return .array(try sorted(pairs, isReversed: given.isTrue("reverse")))
    }
    let attribute = given.value("attribute")
    let pairs = try elements(of: value).map { element in
      (key: try key(of: element, by: attribute, in: name, given, folded), value: element)
    }
    switch name {
    case "sort": return .array(try sorted(pairs, isReversed: given.isTrue("reverse")))
    case "min", "max":
      guard var best = pairs.first else { return .undefined }
      for pair in pairs.dropFirst()
      where try name == "min" ? isLess(pair.key, best.key) : isLess(best.key, pair.key) {
        best = pair
      }
      return best.value
    case "unique":
      var seen: Set<TemplateKey> = []
      return iterator(
        try pairs.filter { pair in
          guard let key = TemplateKey(pair.key) else {
            throw fail("values that can be keys of a mapping", pair.key.kind)
          }
          return seen.insert(key).inserted
        }.map(\.value))
    default:
      let standard = given.value("default")
      var groups: [(key: TemplateValue, name: TemplateValue, elements: [TemplateValue])] = []
      let order = try sorted(
        pairs.map { ($0.key, .tuple([$0.key, $0.value])) }, isReversed: false)
      for case .tuple(let pair) in order {
        if let last = groups.last, last.key.equals(pair[0]) {
          groups[groups.count - 1].elements.append(pair[1])
        } else {
          let name = try attributeValue(pair[1], attribute ?? "", else: standard)
          groups.append((pair[0], name, [pair[1]]))
        }
      }
      let list = TemplateValue.array(groups.map { .tuple([$0.name, .array($0.elements)]) })
      try checkDepth(list)
      return list
    }
  }

  private func key(
    of element: TemplateValue, by attribute: TemplateValue?, in name: String,
    _ given: TemplateBinding, _ folded: (TemplateValue) -> TemplateValue
  ) throws -> TemplateValue {
    guard let attribute else { return folded(element) }
    guard name == "sort", case .string(let names) = attribute else {
      return folded(try attributeValue(element, attribute, else: given.value("default")))
    }
    // Several, with commas between.
    return .array(
      try names.split(separator: ",", omittingEmptySubsequences: false).map {
        folded(try attributeValue(element, .string(String($0))))
      })
  }

  /// Stable in both directions, as Python's is.
  private func sorted(
    _ pairs: [(key: TemplateValue, value: TemplateValue)], isReversed: Bool
  ) throws -> [TemplateValue] {
    try step(pairs.count)
    return try pairs.enumerated().sorted { one, two in
      let (first, second) = isReversed ? (two, one) : (one, two)
      if try isLess(first.element.key, second.element.key) { return true }
      if try isLess(second.element.key, first.element.key) { return false }
      return one.offset < two.offset
    }.map(\.element.value)
  }

  /// A member by name or number, which may be a path with dots.
  private func attributeValue(
    _ value: TemplateValue, _ attribute: TemplateValue, else standard: TemplateValue? = nil
  ) throws -> TemplateValue {
    var path = [attribute]
    if case .string(let text) = attribute {
      path = text.split(separator: ".", omittingEmptySubsequences: false).map { part in
        Int(part).map { .integer($0) } ?? .string(String(part))
      }
    }
    var result = value
    for key in path {
      result = try item(key, of: result)
      if result.isUndefined, let standard, !standard.isNone { result = standard }
    }
    return result
  }
}
