/// An expression of a template and the line it begins on.
struct TemplateExpression: Sendable {
  indirect enum Kind: Sendable {
    case literal(TemplateValue)
    case name(String)
    case list([TemplateExpression])
    case dictionary([(key: TemplateExpression, value: TemplateExpression)])
    case attribute(TemplateExpression, String)
    case item(TemplateExpression, TemplateExpression)
    case slice(
      TemplateExpression, from: TemplateExpression?, to: TemplateExpression?,
      step: TemplateExpression?)
    case call(TemplateExpression, TemplateArguments)
    case filter(TemplateExpression, name: String, TemplateArguments)
    case test(TemplateExpression, name: String, TemplateArguments, isNegated: Bool)
    case not(TemplateExpression)
    case negative(TemplateExpression)
    case binary(String, TemplateExpression, TemplateExpression)
    case choice(TemplateExpression, condition: TemplateExpression, otherwise: TemplateExpression?)
  }

  var kind: Kind
  var line: Int
}

struct TemplateArguments: Sendable {
  var positional: [TemplateExpression] = []
  var named: [(name: String, value: TemplateExpression)] = []
}

/// A statement of a template and the line it begins on.
struct TemplateStatement: Sendable {
  indirect enum Kind: Sendable {
    case text(String)
    case output(TemplateExpression)
    case condition([(condition: TemplateExpression?, body: [TemplateStatement])])
    case loop(TemplateLoop)
    case set(TemplateTarget, TemplateExpression)
    case setBlock(String, [TemplateStatement])
    case macro(TemplateMacro)
    case leaveLoop
    case nextRound
  }

  var kind: Kind
  var line: Int
}

/// What a value is assigned to.
enum TemplateTarget: Sendable {
  case names([String])
  /// A member of a namespace.
  case member(String, String)
}

struct TemplateLoop: Sendable {
  var names: [String]
  var sequence: TemplateExpression
  var condition: TemplateExpression?
  var body: [TemplateStatement]
  var otherwise: [TemplateStatement]
}

struct TemplateMacro: Sendable {
  var name: String
  var parameters: [(name: String, standard: TemplateExpression?)]
  var body: [TemplateStatement]
}
