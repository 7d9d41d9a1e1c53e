import Yams

/// The words in which a language asks for something. Texts have `{text}`, `{title}`, `{language}`
/// (the other language's name) and, for code, `{code}` in them.
struct LanguageWordings: Decodable, Equatable {
  /// What the language calls the others, by their codes.
  var names: [String: String]?
  /// Wordings by category. `translateFrom` asks for another language, `translateTo` for this one.
  var categories: [String: [String]]

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    categories = [:]
    for key in container.allKeys {
      if key.stringValue == "names" {
        names = try container.decode([String: String].self, forKey: key)
      } else {
        categories[key.stringValue] = try container.decode([String].self, forKey: key)
      }
    }
  }
}

/// The wordings of all languages, and of code.
struct PromptWordings {
  /// By ISO 639-1 code, and `code`.
  let languages: [String: LanguageWordings]

  static let code = "code"
  /// Categories of prose, and those of code.
  static let prose = ["explain", "summarise", "translate", "continue", "question"]
  static let programming = ["explain", "complete", "test", "document", "review"]

  /// The built-in wordings.
  init() throws {
    try self.init(yaml: Self.builtIn, path: "built-in wordings")
  }

  /// Reads wordings in the form of the built-in ones.
  /// - Throws: `TrainingError.field` with the file, language and category.
  init(yaml: String, path: String) throws {
    do {
      languages = try YAMLDecoder().decode([String: LanguageWordings].self, from: yaml)
    } catch {
      throw TrainingError.field(
        path: path, field: "wordings", expected: "lists of texts by language and category",
        found: "\(error)")
    }
    for (language, wordings) in languages {
      let isCode = language == Self.code
      let categories =
        isCode
        ? Self.programming
        : Self.prose.flatMap { $0 == "translate" ? ["translateFrom", "translateTo"] : [$0] }
      for category in categories {
        let texts = wordings.categories[category] ?? []
        let marks = isCode ? ["{code}"] : ["{text}", "{title}"]
        guard !texts.isEmpty, texts.allSatisfy({ text in marks.contains { text.contains($0) } })
        else {
          throw TrainingError.field(
            path: path, field: "\(language).\(category)",
            expected: "texts with \(marks.joined(separator: " or "))",
            found: texts.isEmpty ? "none" : "one without")
        }
      }
    }
  }
}
