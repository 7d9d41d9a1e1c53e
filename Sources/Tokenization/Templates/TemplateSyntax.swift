/// An expression of a template and the line it begins on.
struct TemplateExpression: Sendable {
  indirect enum Kind: Sendable {
    case literal(TemplateValue)
    case name(String)
    case list([TemplateExpression])
    case tuple([TemplateExpression])
    case dictionary([(key: TemplateExpression, value: TemplateExpression)])
    case attribute(TemplateExpression, String)
    case item(TemplateExpression, TemplateExpression)
    case slice(
      TemplateExpression, from: TemplateExpression?, to: TemplateExpression?,
      step: TemplateExpression?)
    case call(TemplateExpression, TemplateArguments)
    case filter(TemplateExpression, TemplateFilter)
    case test(TemplateExpression, name: String, TemplateArguments, isNegated: Bool)
    case not(TemplateExpression)
    /// `-` or `+` before a value.
    case sign(String, TemplateExpression)
    case binary(String, TemplateExpression, TemplateExpression)
    /// `a < b <= c`: each value beside the next.
    case comparison(TemplateExpression, [(name: String, value: TemplateExpression)])
    case choice(TemplateExpression, condition: TemplateExpression, otherwise: TemplateExpression?)
  }

  var kind: Kind
  var line: Int
}

struct TemplateArguments: Sendable {
  var positional: [TemplateExpression] = []
  var named: [(name: String, value: TemplateExpression)] = []
  /// After `*` and `**`: a list and a mapping of more.
  var morePositional: TemplateExpression?
  var moreNamed: TemplateExpression?
}

/// A filter and what it is given besides its input.
struct TemplateFilter: Sendable {
  var name: String
  var arguments: TemplateArguments
  var line: Int
}

/// A statement of a template and the line it begins on.
struct TemplateStatement: Sendable {
  indirect enum Kind: Sendable {
    case text(String)
    case output(TemplateExpression)
    case condition([(condition: TemplateExpression?, body: [TemplateStatement])])
    case loop(TemplateLoop)
    case set(TemplateTarget, TemplateExpression)
    case setBlock(TemplateTarget, [TemplateFilter], [TemplateStatement])
    case macro(TemplateMacro)
    /// A call that is given its block as `caller`.
    case callBlock(TemplateExpression, TemplateArguments, caller: TemplateMacro)
    case filterBlock([TemplateFilter], [TemplateStatement])
    /// Variables that hold for its body.
    case with([(target: TemplateTarget, value: TemplateExpression)], [TemplateStatement])
    case leaveLoop
    case nextRound
  }

  var kind: Kind
  var line: Int
}

/// What a value is assigned to.
enum TemplateTarget: Sendable {
  case name(String)
  /// A member of a namespace.
  case member(String, String)
  indirect case tuple([TemplateTarget])
}

struct TemplateLoop: Sendable {
  var target: TemplateTarget
  var sequence: TemplateExpression
  var condition: TemplateExpression?
  var isRecursive: Bool
  var body: [TemplateStatement]
  var otherwise: [TemplateStatement]
}

struct TemplateMacro: Sendable {
  var name: String
  var parameters: [(name: String, standard: TemplateExpression?)]
  var body: [TemplateStatement]
  /// Which of `varargs`, `kwargs` and `caller` the body asks for: only those may be given to it.
  var extras: Set<String>
}
