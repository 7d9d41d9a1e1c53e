import Nunchi

/// Prompts of real text, cut to a length in tokens. Each is made of texts of its own, one after
/// another where one is too short: no text stands in two prompts, or twice in one, so what follows
/// a prompt in its text stands in none of them. A shorter prompt is the beginning of a longer one.
struct PromptTexts {
  struct Text {
    var question: Question
    /// The prompt of the greatest length, and what follows it in its text.
    var tokens: [Int32]
  }

  let texts: [Text]
  private let decode: ([Int32]) -> String

  /// - Parameters:
  ///   - questions: whose texts are taken, in their order; those of one language, or of one category
  ///     too, stay among themselves.
  ///   - longest: tokens of the longest prompt that is wanted.
  ///   - limit: how many prompts are wanted; nil makes as many as there is text for.
  ///   - suite: the name that an error tells.
  /// - Throws: `EvaluationError.field` when there is too little text.
  init(
    _ questions: [Question], longest: Int, limit: Int?, byCategory: Bool = false, suite: String,
    encode: (String) -> [Int32], decode: @escaping ([Int32]) -> String
  ) throws {
    var open: [[String?]: Text] = [:]
    var seen: Set<String> = []
    var whole: [Text] = []
    var total = 0
    for question in questions {
      let text = question.turns.joined(separator: "\n\n") + "\n\n"
      guard seen.insert(text).inserted else { continue }
      let key = [question.language, byCategory ? question.category : nil]
      var part = open.removeValue(forKey: key) ?? Text(question: question, tokens: [])
      let tokens = encode(text)
      total += tokens.count
      part.tokens += tokens
      if part.tokens.count < longest { open[key] = part } else { whole.append(part) }
    }
    let wanted = max(1, limit ?? 1)
    guard whole.count >= wanted else {
      throw EvaluationError.field(
        path: suite, field: "text",
        expected: "\(wanted) prompt\(wanted == 1 ? "" : "s") of \(longest) tokens that share no "
          + "text, \(wanted * longest) tokens in all",
        found: "\(total) tokens, enough for \(whole.count); name longer texts with --suite, or ask "
          + "for fewer with --limit")
    }
    let chosen = Set(Suite.first(limit, of: whole.map(\.question)).map(\.id))
    texts = whole.filter { chosen.contains($0.question.id) }
    self.decode = decode
  }

  /// The prompts, cut to a length.
  /// - Throws: `EvaluationError.field` when it is too short for a prompt.
  func prompts(of length: Int) throws -> [Question] {
    try texts.map { part in
      var text = decode(Array(part.tokens.prefix(length)))
      // Cut within a character it would end in U+FFFD.
      while text.last == "\u{FFFD}" { text.removeLast() }
      guard text.contains(where: { !$0.isWhitespace }) else {
        throw EvaluationError.field(
          path: part.question.id, field: "prompt_lengths", expected: "more tokens",
          found: "\(length)")
      }
      var question = part.question
      question.turns = [text]
      return question
    }
  }
}
