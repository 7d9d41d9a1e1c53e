/// Python's methods of strings.
extension TemplateInterpreter {
  static let stringMethods: [String: TemplateSignature] = [
    "capitalize": "", "center": "width fillchar? /", "count": "sub start? end? /",
    "endswith": "suffix start? end? /", "expandtabs": "tabsize?", "find": "sub start? end? /",
    "format": "* **", "format_map": "mapping /", "index": "sub start? end? /", "isalnum": "",
    "isalpha": "", "isascii": "", "isdecimal": "", "isdigit": "", "isidentifier": "",
    "islower": "", "isnumeric": "", "isprintable": "", "isspace": "", "istitle": "",
    "isupper": "", "join": "iterable /", "ljust": "width fillchar? /", "lower": "",
    "lstrip": "chars? /", "partition": "sep /", "removeprefix": "prefix /",
    "removesuffix": "suffix /", "replace": "old new / count?", "rfind": "sub start? end? /",
    "rindex": "sub start? end? /", "rjust": "width fillchar? /", "rpartition": "sep /",
    "rsplit": "sep? maxsplit?", "rstrip": "chars? /", "split": "sep? maxsplit?",
    "splitlines": "keepends?", "startswith": "prefix start? end? /", "strip": "chars? /",
    "swapcase": "", "title": "", "upper": "", "zfill": "width /",
  ]

  func callMethod(
    _ name: String, of text: String, _ given: TemplateBinding
  ) throws -> TemplateValue {
    try step(1 + text.utf8.count / 64)
    switch name {
    case "upper": return .string(text.uppercased())
    case "lower": return .string(text.lowercased())
    case "capitalize": return .string(text.capitalizedByPython)
    case "title": return .string(text.titledByPython)
    case "swapcase":
      return .string(
        text.unicodeScalars.map {
          $0.properties.isUppercase
            ? $0.properties.lowercaseMapping : $0.properties.uppercaseMapping
        }.joined())
    case "strip", "lstrip", "rstrip":
      return .string(
        text.stripped(
          of: try given.text("chars"), left: name != "rstrip", right: name != "lstrip"))
    case "split", "rsplit":
      let separator = try given.text("sep")
      if separator?.isEmpty == true { throw given.fail("a separator", "an empty string") }
      let parts = text.split(
        by: separator, most: try given.integer("maxsplit") ?? -1, fromRight: name == "rsplit")
      return .array(try checked(parts.map { .string($0) }))
    case "splitlines":
      let lines = text.lines(keepingEnds: given.isTrue("keepends"))
      return .array(try checked(lines.map { .string($0) }))
    case "partition", "rpartition":
      let separator = try given.string("sep")
      if separator.isEmpty { throw given.fail("a separator", "an empty string") }
      let isFromRight = name == "rpartition"
      let parts = text.split(by: separator, most: 1, fromRight: isFromRight)
      if parts.count == 2 {
        return .tuple([.string(parts[0]), .string(separator), .string(parts[1])])
      }
      return .tuple(isFromRight ? ["", "", .string(text)] : [.string(text), "", ""])
    case "removeprefix":
      let part = try given.string("prefix")
      return .string(
        text.utf8.starts(with: part.utf8)
          ? String(decoding: text.utf8.dropFirst(part.utf8.count), as: UTF8.self) : text)
    case "removesuffix":
      let part = try given.string("suffix")
      return .string(
        text.utf8.reversed().starts(with: part.utf8.reversed())
          ? String(decoding: text.utf8.dropLast(part.utf8.count), as: UTF8.self) : text)
    case "replace":
      return .string(
        try replace(
          text, try given.string("old"), try given.string("new"),
          most: try given.integer("count") ?? -1))
    case "startswith", "endswith", "find", "rfind", "index", "rindex", "count":
      return try search(name, text, given)
    case "join":
      let parts = try elements(of: given["iterable"] ?? .undefined).map { part in
        guard case .string(let part) = part else { throw given.fail("strings", part.kind) }
        return part
      }
      return .string(try joined(parts, by: text))
    case "format": return .string(try formatted(text, given.more, given.moreNamed))
    case "format_map":
      guard case .object(let object)? = given["mapping"] else {
        throw given.fail("a mapping", given["mapping"]?.kind ?? "nothing")
      }
      let named = object.members.compactMap { member -> (name: String, value: TemplateValue)? in
        if case .string(let name) = member.key { (name, member.value) } else { nil }
      }
      return .string(try formatted(text, [], named))
    case "center", "ljust", "rjust":
      let fill = Array((try given.text("fillchar") ?? " ").unicodeScalars)
      guard fill.count == 1 else { throw given.fail("one character to fill with", "\(fill.count)") }
      let width = try given.integer("width", in: Int.min...Self.mostElements) ?? 0
      let side: Unicode.Scalar = name == "center" ? "^" : name == "ljust" ? "<" : ">"
      return .string(text.padded(to: width, with: fill[0], align: side, isCentred: true))
    case "zfill":
      let width = try given.integer("width", in: Int.min...Self.mostElements) ?? 0
      let sign = text.unicodeScalars.first.map { $0 == "-" || $0 == "+" } ?? false ? 1 : 0
      let digits = String(text.unicodeScalars.dropFirst(sign))
      return .string(
        String(text.unicodeScalars.prefix(sign))
          + digits.padded(to: width - sign, with: "0", align: ">"))
    case "expandtabs":
      let size = try given.integer("tabsize", in: 0...1_000) ?? 8
      try step(text.utf8.count { $0 == UInt8(ascii: "\t") } * size)
      return .string(text.expandingTabs(size))
    default: return .bool(text.isAll(name))
    }
  }

  private func search(
    _ name: String, _ text: String, _ given: TemplateBinding
  ) throws -> TemplateValue {
    let (start, stop) = (try given.integer("start"), try given.integer("end"))
    let all = Array(text.unicodeScalars)
    let range = Self.range(start, stop, of: all.count)
    let part = String(String.UnicodeScalarView(all[range]))
    let isBeyond = (start ?? 0) > all.count
    if let value = given["prefix"] ?? given["suffix"] {
      var candidates = [value]
      if case .tuple(let several) = value { candidates = several }
      return .bool(
        try candidates.contains { candidate in
          guard case .string(let wanted) = candidate else {
            throw given.fail("a string or a tuple of strings", candidate.kind)
          }
          if isBeyond { return false }
          return name == "startswith"
            ? part.utf8.starts(with: wanted.utf8)
            : part.utf8.reversed().starts(with: wanted.utf8.reversed())
        })
    }
    let wanted = try given.string("sub")
    if name == "count" {
      if wanted.isEmpty { return .integer(isBeyond ? 0 : range.count + 1) }
      return .integer(part.utf8Ranges(of: wanted).count)
    }
    var place: Int?
    if wanted.isEmpty {
      place = isBeyond ? nil : name.hasPrefix("r") ? range.upperBound : range.lowerBound
    } else {
      // From the right, other places than from the left when the part overlaps itself.
      let found = part.firstUTF8(of: wanted, fromRight: name.hasPrefix("r"))
      place = found.map { found in
        String(decoding: part.utf8.prefix(found), as: UTF8.self).unicodeScalars.count
          + range.lowerBound
      }
    }
    if name.hasSuffix("index"), place == nil { throw given.fail("a part of the string", "another") }
    return .integer(place ?? -1)
  }

  func joined(_ parts: [String], by separator: String) throws -> String {
    let separators = separator.utf8.count.multipliedReportingOverflow(by: parts.count)
    let size = parts.reduce(separators.partialValue) { $0 &+ $1.utf8.count }
    guard !separators.overflow, (0...Self.mostBytes).contains(size) else {
      throw fail("at most \(Self.mostBytes) bytes of text", "more")
    }
    return parts.joined(separator: separator)
  }

  func replace(_ text: String, _ old: String, _ new: String, most: Int) throws -> String {
    var ranges = text.utf8Ranges(of: old)
    if old.isEmpty {
      // Before each scalar, and at the end.
      var place = 0
      for scalar in text.unicodeScalars {
        ranges.append(place..<place)
        place += UTF8.width(scalar)
      }
      ranges.append(place..<place)
    }
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

extension Unicode.Scalar {
  /// Python's `isspace`.
  var isSpace: Bool { properties.isWhitespace || ("\u{1C}"..."\u{1F}").contains(self) }

  /// Python's `isprintable`.
  var isPrintable: Bool {
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator:
      false
    case .spaceSeparator: self == " "
    default: true
    }
  }

  var isLetter: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }

  /// Python's `isalnum`, as in `\w`.
  var isWordPart: Bool { isLetter || properties.numericType != nil }
}

extension String {
  /// Python's `isupper` and its like.
  func isAll(_ name: String) -> Bool {
    let scalars = unicodeScalars
    switch name {
    case "isascii": return scalars.allSatisfy(\.isASCII)
    case "isprintable": return scalars.allSatisfy(\.isPrintable)
    case "isidentifier":
      return scalars.first.map { $0 == "_" || $0.properties.isXIDStart } ?? false
        && scalars.allSatisfy(\.properties.isXIDContinue)
    case "isupper":
      return scalars.contains { $0.properties.isUppercase }
        && !scalars.contains {
          $0.properties.isLowercase || $0.properties.generalCategory == .titlecaseLetter
        }
    case "islower":
      return scalars.contains { $0.properties.isLowercase }
        && !scalars.contains {
          $0.properties.isUppercase || $0.properties.generalCategory == .titlecaseLetter
        }
    case "istitle":
      return scalars.contains { $0.properties.isCased } && titledByPython == self
    default: break
    }
    guard !isEmpty else { return false }
    return scalars.allSatisfy { scalar in
      let number = scalar.properties.numericType
      return switch name {
      case "isalpha": scalar.isLetter
      case "isspace": scalar.isSpace
      case "isdecimal": number == .decimal
      case "isdigit": number == .decimal || number == .digit
      case "isnumeric": number != nil
      default: scalar.isWordPart
      }
    }
  }

  /// Python's `capitalize`.
  var capitalizedByPython: String {
    guard let first = unicodeScalars.first else { return "" }
    return first.properties.titlecaseMapping + String(unicodeScalars.dropFirst()).lowercased()
  }

  /// Python's `title`: each run of letters begins with a capital.
  var titledByPython: String {
    var isInside = false
    return unicodeScalars.map { scalar in
      defer { isInside = scalar.properties.isCased }
      return isInside ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
    }.joined()
  }

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

  /// The same from the end, in the order of the text.
  private func utf8RangesFromRight(of part: String) -> [Range<Int>] {
    let reversed = String(String.UnicodeScalarView(unicodeScalars.reversed()))
    let wanted = String(String.UnicodeScalarView(part.unicodeScalars.reversed()))
    let count = utf8.count
    return reversed.utf8Ranges(of: wanted).reversed().map {
      (count - $0.upperBound)..<(count - $0.lowerBound)
    }
  }

  func firstUTF8(of part: String, fromRight: Bool) -> Int? {
    fromRight
      ? utf8RangesFromRight(of: part).last?.lowerBound : utf8Ranges(of: part).first?.lowerBound
  }

  /// Python's `strip`: of whitespace, or of the scalars of `set`.
  func stripped(of set: String?, left: Bool, right: Bool) -> String {
    let wanted = set.map { Set($0.unicodeScalars) }
    func goes(_ scalar: Unicode.Scalar) -> Bool { wanted?.contains(scalar) ?? scalar.isSpace }
    var scalars = unicodeScalars[...]
    while left, let first = scalars.first, goes(first) { scalars.removeFirst() }
    while right, let last = scalars.last, goes(last) { scalars.removeLast() }
    return String(scalars)
  }

  /// Python's `split` and `rsplit`; without a separator at runs of whitespace.
  func split(by separator: String?, most: Int, fromRight: Bool) -> [String] {
    guard let separator else { return words(most: most, fromRight: fromRight) }
    var ranges =
      fromRight ? utf8RangesFromRight(of: separator) : utf8Ranges(of: separator)
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

  /// What stands between whitespace; what lies beyond the last cut stays as it is.
  private func words(most: Int, fromRight: Bool) -> [String] {
    let words = unicodeScalars.split(whereSeparator: \.isSpace)
    guard most >= 0, words.count > most else { return words.map { String($0) } }
    if fromRight {
      let kept = words.suffix(most)
      let rest = String(unicodeScalars[..<(kept.first?.startIndex ?? endIndex)])
        .stripped(of: nil, left: false, right: true)
      return (rest.isEmpty ? [] : [rest]) + kept.map { String($0) }
    }
    let kept = words.prefix(most)
    let rest = String(unicodeScalars[(kept.last?.endIndex ?? startIndex)...])
      .stripped(of: nil, left: true, right: false)
    return kept.map { String($0) } + (rest.isEmpty ? [] : [rest])
  }

  /// Python's `splitlines`.
  func lines(keepingEnds: Bool = false) -> [String] {
    var lines: [String] = []
    var line = String.UnicodeScalarView()
    var scalars = unicodeScalars[...]
    while let scalar = scalars.popFirst() {
      guard "\n\r\u{B}\u{C}\u{1C}\u{1D}\u{1E}\u{85}\u{2028}\u{2029}".unicodeScalars.contains(scalar)
      else {
        line.append(scalar)
        continue
      }
      if keepingEnds { line.append(scalar) }
      if scalar == "\r", scalars.first == "\n" {
        scalars.removeFirst()
        if keepingEnds { line.append("\n") }
      }
      lines.append(String(line))
      line = String.UnicodeScalarView()
    }
    return line.isEmpty ? lines : lines + [String(line)]
  }

  /// Filled up to so many scalars: `<` on the right, `>` on the left, `^` on both sides.
  /// - Parameter isCentred: puts the odd one where `str.center` does, not where `format` does.
  func padded(
    to width: Int, with fill: Unicode.Scalar, align: Unicode.Scalar, isCentred: Bool = false
  ) -> String {
    let missing = max(width - unicodeScalars.count, 0)
    let left =
      align == "<"
      ? 0
      : align == ">"
        ? missing
        : missing / 2 + (isCentred ? missing & width & 1 : 0)
    let space = { (count: Int) in String(repeating: String(fill), count: count) }
    return space(left) + self + space(missing - left)
  }

  func expandingTabs(_ size: Int) -> String {
    var result = ""
    var column = 0
    for scalar in unicodeScalars {
      if scalar == "\t" {
        let count = size == 0 ? 0 : size - column % size
        result += String(repeating: " ", count: count)
        column += count
      } else {
        result.unicodeScalars.append(scalar)
        column = scalar == "\n" || scalar == "\r" ? 0 : column + 1
      }
    }
    return result
  }
}
