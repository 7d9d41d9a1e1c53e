import Foundation

/// One question of a suite: a prompt, or a conversation whose answers the model gives.
public struct Question: Sendable, Equatable {
  public var id: String
  public var category: String
  /// The language of the question and the answer, by its code (ISO 639-1).
  public var language: String?
  /// What the user says, turn by turn; at least one, none empty.
  public var turns: [String]

  public init(id: String, category: String, language: String? = nil, turns: [String]) {
    self.id = id
    self.category = category
    self.language = language
    self.turns = turns
  }
}

/// A set of questions to measure on, such as Spec-Bench (arXiv 2401.07851).
public struct Suite: Sendable, Equatable {
  /// The file's name, or the folder's.
  public var name: String
  public var questions: [Question]
  /// The bytes that it was read from; of several files, one after another.
  let contents: Data

  public init(name: String, questions: [Question], contents: Data = Data()) {
    self.name = name
    self.questions = questions
    self.contents = contents
  }

  /// The first questions, in the suite's order.
  /// - Parameters:
  ///   - languages: those wanted; none takes all.
  ///   - perCategory: the most of each category of each language; nil takes all.
  ///   - limit: the most in all, after that, with as many of each language as there are; nil takes
  ///     all.
  public func selection(
    languages: [String] = [], perCategory: Int? = nil, limit: Int? = nil
  ) -> [Question] {
    var taken: [[String]: Int] = [:]
    let selected = questions.filter { question in
      guard languages.isEmpty || languages.contains(question.language ?? "") else { return false }
      let key = [question.language ?? "", question.category]
      taken[key, default: 0] += 1
      return taken[key, default: 0] <= perCategory ?? .max
    }
    return Self.first(limit, of: selected)
  }

  /// The first questions, the languages in turns, in the order in which they stand.
  static func first(_ limit: Int?, of questions: [Question]) -> [Question] {
    guard let limit else { return questions }
    var taken: [String?: Int] = [:]
    let turns = questions.map { question in
      taken[question.language, default: 0] += 1
      return taken[question.language, default: 0]
    }
    let chosen = turns.indices.sorted { (turns[$0], $0) < (turns[$1], $1) }.prefix(limit)
    return chosen.sorted().map { questions[$0] }
  }

  /// What of the suite is asked, in words: how many of each language, and what is left out whole.
  /// - Returns: nil when everything is asked.
  public func caption(of asked: [Question]) -> String? {
    guard asked.count < questions.count else { return nil }
    let languages = questions.compactMap(\.language).uniqued()
    let counts = Dictionary(grouping: asked, by: \.language).mapValues(\.count)
    let each = languages.compactMap { name in counts[name].map { "\(name) \($0)" } }
    func missing(_ all: [String], _ some: [String]) -> String {
      all.filter { !some.contains($0) }.joined(separator: ", ")
    }
    let without = [
      ("language", missing(languages, asked.compactMap(\.language))),
      ("category", missing(questions.map(\.category).uniqued(), asked.map(\.category))),
    ].filter { !$1.isEmpty }.map { "; none of \($0) \($1)" }
    return "\(asked.count) of \(questions.count) questions"
      + (languages.count > 1 ? " (\(each.joined(separator: ", ")))" : "") + without.joined()
  }
}

/// Questions whose figures are reported together.
public struct CategoryGroup: Sendable, Equatable {
  public var name: String
  /// The categories of the group.
  public var categories: Set<String>

  /// MT-bench's categories, which Spec-Bench takes as one of its six tasks.
  public static let mtBench = [
    "writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities",
  ]

  /// Each category in the order in which the questions have them, and MT-bench as a whole after
  /// the last of its own.
  public static func groups(of categories: [String]) -> [CategoryGroup] {
    var distinct: [String] = []
    for category in categories where !distinct.contains(category) { distinct.append(category) }
    var groups = distinct.map { CategoryGroup(name: $0, categories: [$0]) }
    if let last = groups.lastIndex(where: { mtBench.contains($0.name) }) {
      groups.insert(CategoryGroup(name: "mt-bench", categories: Set(mtBench)), at: last + 1)
    }
    return groups
  }
}
