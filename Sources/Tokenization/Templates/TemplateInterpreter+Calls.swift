import Foundation

extension TemplateInterpreter {
  /// Calls a value; `callee` is what errors show.
  func call(
    _ function: TemplateValue, _ call: TemplateCall, of callee: TemplateExpression
  ) throws -> TemplateValue {
    switch function {
    case .function(let name): return try callFunction(name, call)
    case .method(let owner, let name): return try callMethod(name, of: owner, call)
    case .reference(let reference):
      switch things[reference.place] {
      case .macro(let macro, let scope): return try callMacro(macro, in: scope, call)
      case .loop(let state):
        let given = try bind(call, to: "iterable /", of: "loop")
        return .string(
          try recurse(state, over: elements(of: given["iterable"] ?? .undefined)))
      case .joiner(let separator, let isUsed):
        things[reference.place] = .joiner(separator, isUsed: true)
        return .string(isUsed ? separator : "")
      default: break
      }
    default: break
    }
    var found = function.kind
    if case .name(let name) = callee.kind { found = "\"\(name)\"" }
    if case .attribute(_, let name) = callee.kind { found = "\".\(name)\"" }
    throw fail("a function, a macro or a method that changes nothing", found)
  }

  func bind(
    _ call: TemplateCall, to signature: TemplateSignature, of name: String
  ) throws -> TemplateBinding {
    try TemplateBinding(call, to: signature, of: name, line: line)
  }

  // MARK: Functions

  static let functions: [String: TemplateSignature] = [
    "raise_exception": "message", "strftime_now": "format", "range": "start stop? step? /",
    "dict": "pairs? / **", "namespace": "pairs? / **", "cycler": "*", "joiner": "sep?",
  ]

  private func callFunction(
    _ name: String, _ call: TemplateCall
  ) throws -> TemplateValue {
    guard let signature = Self.functions[name] else { throw fail("a function", "\"\(name)\"") }
    let given = try bind(call, to: signature, of: "\(name)()")
    switch name {
    case "raise_exception":
      throw TokenizationError.templateRaised(try text(of: given["message"] ?? .undefined))
    case "dict": return .object(try mapping(given))
    case "namespace":
      let members = try mapping(given)
      for case .string(let member) in members.keys { try checkMember(member) }
      return make(.namespace, .namespace(members))
    case "range": return .array(try range(given))
    case "cycler":
      guard !given.more.isEmpty else { throw given.fail("a value to cycle through", "nothing") }
      return make(.cycler, .cycler(given.more, next: 0))
    case "joiner": return make(.joiner, .joiner(try given.text("sep") ?? ", ", isUsed: false))
    default: return .string(try formattedDate(given.string("format")))
    }
  }

  /// `dict(mapping or pairs, name=value …)`.
  private func mapping(_ given: TemplateBinding) throws -> TemplateObject {
    var object = TemplateObject()
    if case .object(let first)? = given["pairs"] {
      object = first
    } else if let pairs = given["pairs"] {
      for pair in try elements(of: pairs) {
        let parts = try elements(of: pair)
        guard parts.count == 2, object.set(parts[0], parts[1]) else {
          throw given.fail("pairs of a key and a value", pair.kind)
        }
      }
    }
    for (name, value) in given.moreNamed { object[name] = value }
    try checkDepth(.object(object))
    return object
  }

  private func range(_ given: TemplateBinding) throws -> [TemplateValue] {
    let start = try given.integer("start") ?? 0
    let stop = try given.integer("stop")
    let step = try given.integer("step") ?? 1
    guard step != 0 else { throw given.fail("a step other than 0", "0") }
    var values: [TemplateValue] = []
    for value in stride(from: stop == nil ? 0 : start, to: stop ?? start, by: step) {
      try self.step()
      values.append(.integer(value))
      guard values.count <= 100_000 else { throw fail("a range of at most 100000", "more") }
    }
    return values
  }

  /// `datetime.now().strftime`: the C library's, but for what a time without a zone leaves empty.
  private func formattedDate(_ format: String) throws -> String {
    guard format.utf8.count <= 1_000 else { throw fail("a date's format", "a long text") }
    var seconds = time_t(now.timeIntervalSince1970.rounded(.down))
    var parts = tm()
    localtime_r(&seconds, &parts)
    var result = ""
    var rest = format.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      guard scalar == "%" else {
        result.unicodeScalars.append(scalar)
        continue
      }
      var specifier = "%"
      while let next = rest.popFirst() {
        specifier.unicodeScalars.append(next)
        if !"-_0^#:EO123456789".unicodeScalars.contains(next) { break }
      }
      switch specifier {
      case "%f":
        let fraction = now.timeIntervalSince1970 - now.timeIntervalSince1970.rounded(.down)
        result += String(format: "%06d", min(Int(fraction * 1e6), 999_999))
      case "%z", "%:z", "%Z": break
      default:
        var buffer = [CChar](repeating: 0, count: 1_000)
        let count = strftime(&buffer, buffer.count, specifier, &parts)
        result += String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      }
    }
    return result
  }

  // MARK: Methods

  /// What may be called of a value, by name.
  static func methods(of value: TemplateValue) -> [String: TemplateSignature] {
    switch value {
    case .string, .markup: stringMethods
    case .array: listMethods.merging(["copy": ""]) { $1 }
    case .tuple: listMethods
    case .object: mappingMethods
    case .reference(let reference):
      switch reference.kind {
      case .loop: ["cycle": "*", "changed": "*"]
      case .cycler: ["next": "", "reset": ""]
      default: [:]
      }
    default: [:]
    }
  }

  private static let listMethods: [String: TemplateSignature] = [
    "count": "value /", "index": "value start? stop? /",
  ]
  private static let mappingMethods: [String: TemplateSignature] = [
    "items": "", "keys": "", "values": "", "copy": "", "get": "key default? /",
  ]

  private func callMethod(
    _ name: String, of owner: TemplateValue, _ call: TemplateCall
  ) throws -> TemplateValue {
    guard let signature = Self.methods(of: owner)[name] else {
      throw fail("a method", "\"\(name)\"")
    }
    let given = try bind(call, to: signature, of: "\(name)()")
    switch owner {
    case .string(let text): return try callMethod(name, of: text, given)
    case .markup(let text):
      // Methods of markup escape what they put into it.
      var escaped = call
      escaped.positional = try call.positional.map { try self.escaped($0) }
      escaped.named = try call.named.map { ($0.name, try self.escaped($0.value)) }
      let bound = try bind(escaped, to: signature, of: "\(name)()")
      return try callMethod(name, of: text, bound).marked
    case .array(let elements), .tuple(let elements):
      try step(elements.count)
      guard name != "copy" else { return owner }
      let value = given["value"] ?? .undefined
      if name == "count" { return .integer(elements.count { $0.equals(value) }) }
      let range = Self.range(
        try given.integer("start"), try given.integer("stop"), of: elements.count)
      guard let place = elements[range].firstIndex(where: { $0.equals(value) }) else {
        throw given.fail("a value of the list", value.kind)
      }
      return .integer(place)
    case .object(let object):
      try step(object.members.count)
      switch name {
      case "items":
        return .view("dict_items", object.members.map { .tuple([$0.key, $0.value]) })
      case "keys": return .view("dict_keys", object.keys)
      case "values": return .view("dict_values", object.members.map(\.value))
      case "copy": return owner
      default:
        let key = given["key"] ?? .undefined
        guard TemplateKey(key) != nil else { throw given.fail("a key of a mapping", key.kind) }
        return object[key] ?? given["default"] ?? .none
      }
    case .reference(let reference): return try callMethod(name, of: reference, given)
    default: throw fail("a method", "\"\(name)\"")
    }
  }

  private func callMethod(
    _ name: String, of reference: TemplateReference, _ given: TemplateBinding
  ) throws -> TemplateValue {
    switch things[reference.place] {
    case .loop(var loop):
      if name == "cycle" {
        guard !given.more.isEmpty else { throw given.fail("a value to cycle through", "nothing") }
        return given.more[loop.index % given.more.count]
      }
      let isSame = loop.watched.map { TemplateValue.array($0).equals(.array(given.more)) } ?? false
      loop.watched = given.more
      things[reference.place] = .loop(loop)
      return .bool(!isSame)
    case .cycler(let elements, let next):
      let after = name == "reset" ? 0 : (next + 1) % elements.count
      things[reference.place] = .cycler(elements, next: after)
      return name == "reset" ? .none : elements[next]
    default: throw fail("a method", "\"\(name)\"")
    }
  }

  /// What Python's `start` and `stop` leave of so many places.
  static func range(_ start: Int?, _ stop: Int?, of count: Int) -> Range<Int> {
    func place(_ index: Int) -> Int { min(max(index < 0 ? index &+ count : index, 0), count) }
    let first = place(start ?? 0)
    return first..<max(place(stop ?? count), first)
  }
}

extension TemplateLoopState {
  /// What `loop.name` is.
  subscript(name: String) -> TemplateValue? {
    let count = elements.count
    return switch name {
    case "index": .integer(index + 1)
    case "index0": .integer(index)
    case "revindex": .integer(count - index)
    case "revindex0": .integer(count - index - 1)
    case "first": .bool(index == 0)
    case "last": .bool(index == count - 1)
    case "length": .integer(count)
    case "depth": .integer(depth + 1)
    case "depth0": .integer(depth)
    case "previtem": index > 0 ? elements[index - 1] : .undefined
    case "nextitem": index + 1 < count ? elements[index + 1] : .undefined
    default: nil
    }
  }
}
