import Foundation
import ModelFiles
import Mustache
import Tokenization

/// What judges are asked, in English or Korean.
struct JudgePrompts {
  private struct File: Codable {
    struct Texts: Codable {
      var system = ""
      var single = ""
      var singleMaths = ""
      var pair = ""
      var pairMaths = ""

      private enum CodingKeys: String, CodingKey {
        case system, single
        case singleMaths = "single_maths"
        case pair
        case pairMaths = "pair_maths"
      }
    }

    var version = 0
    var en = Texts()
    var ko = Texts()
  }

  /// A question with an answer, for the templates.
  struct Exchange {
    var question: String
    var answer: String
  }

  private let file: File
  /// Judgements of other versions are other judgements.
  var version: Int { file.version }

  init() throws {
    file = try YAMLSettings.read(File(), path: ShippedFiles.path(of: "judge.yaml"))
  }

  /// Categories whose answers are right or wrong.
  static func isMaths(_ category: String) -> Bool {
    ["math", "maths", "math_reasoning", "reasoning"].contains(category)
  }

  /// - Parameters:
  ///   - turns: what the (first) assistant answered, one exchange or two.
  ///   - other: the same of the second assistant; nil for a rating.
  func messages(
    _ turns: [Exchange], against other: [Exchange]? = nil, category: String, language: String?
  ) throws -> [ChatMessage] {
    let texts = language == "ko" ? file.ko : file.en
    let isMaths = Self.isMaths(category)
    let template =
      other == nil
      ? isMaths ? texts.singleMaths : texts.single : isMaths ? texts.pairMaths : texts.pair
    let content = try MustacheTemplate(string: template).render([
      "turns": turns, "other": other ?? [], "two": turns.count > 1,
    ])
    return [
      ChatMessage(role: "system", content: texts.system),
      ChatMessage(role: "user", content: content),
    ]
  }
}
