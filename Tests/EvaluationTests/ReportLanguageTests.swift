import Foundation
import Testing

@testable import Evaluation
@testable import ModelFiles
@testable import Nunchi
@testable import Plotting
@testable import Speculation

@Suite struct ReportLanguageTests {
  /// Words of Latin letters that Korean pages have: names, units and what has no other word.
  private static let names: Set<String> = [
    "MT", "bench", "Nunchi", "SHA", "GB", "MB", "ms", "nunchi",
  ]

  private func latinWords(_ text: String) -> Set<String> {
    Set(text.matches(of: /[A-Za-z]{2,}/).map { String($0.0) })
  }

  @Test("every text is there in both languages, with the same places for values")
  func both() {
    for phrase in Phrase.allCases {
      let (en, ko) = phrase.texts
      #expect(!en.isEmpty && !ko.isEmpty, "\(phrase)")
      #expect(
        Set(en.matches(of: /\{[0-9]\}/).map { String($0.0) })
          == Set(ko.matches(of: /\{[0-9]\}/).map { String($0.0) }), "\(phrase)")
      #expect(latinWords(ko).isSubset(of: Self.names), "\(phrase): \(ko)")
      #expect(!en.unicodeScalars.contains { (0xAC00...0xD7A3).contains($0.value) }, "\(phrase)")
    }
  }

  @Test("values are put in their places and are not searched for places")
  func values() {
    #expect(ReportLanguage.en(.modelOnSuite, "{2}", "s") == "{2} on s")
    #expect(ReportLanguage.ko(.modelOnSuite, "m", "{1}") == "m ({1})")
    #expect(ReportLanguage.ko.word("SmolLM2-135M") == "SmolLM2-135M")
  }

  @Test("columns, axes, shipped titles and categories have Korean words")
  func words() throws {
    let suite = try Suite(path: "multilingual")
    let titles = try ExperimentDefinition.shipped.map { try ExperimentDefinition(named: $0).title }
    let parts = ["draft_ms", "align_ms", "predict_ms", "prune_ms", "verify_ms", "commit_ms"]
    for word in ExperimentRow.columns + ScalingReport.columns + ScalingReport.checkColumns
      + Set(suite.questions.map(\.category)).sorted() + CategoryGroup.mtBench + titles + parts
      + KoreanWords.Part.allCases.map(\.rawValue)
    where word != "n" {
      #expect(ReportLanguage.ko.word(word) != word, "\(word)")
    }
  }

  /// What a reader sees of a page, pictures included; without commands.
  private func visible(_ page: String) throws -> String {
    var text = page.replacing(/(?s)<style>.*?<\/style>|<code>.*?<\/code>/, with: " ")
    for picture in page.matches(of: /data:image\/svg\+xml;base64,([A-Za-z0-9+\/=]+)/) {
      let data = try #require(Data(base64Encoded: String(picture.1)))
      let drawing = String(decoding: data, as: UTF8.self)
      text += drawing.matches(of: /(?s)<text[^>]*>(.*?)<\/text>/).map { $0.1 }.joined(
        separator: " ")
    }
    let titles = page.matches(of: /title="([^"]*)"|alt="([^"]*)"/).compactMap { $0.1 ?? $0.2 }
    return text.replacing(/(?s)<[^>]*>/, with: " ") + titles.joined(separator: " ")
  }

  private func withFolder(_ body: (String) throws -> Void) throws {
    try withTemporaryFile { try body(URL(fileURLWithPath: $0).deletingLastPathComponent().path) }
  }

  @Test("a Korean page of two runs has no English but names")
  func report() throws {
    try withFolder { folder in
      func session(_ language: String, _ category: String) throws -> RunSession {
        let question = Question(id: "1", category: category, language: language, turns: ["무엇?"])
        let other = Question(id: "2", category: "qa", language: "ko", turns: ["왜?"])
        let unanswered = Question(id: "3", category: "qa", language: "ko", turns: ["왜?"])
        let session = try RunSession(
          RunDatabase(path: nil), conditions: conditions(), command: ["nunchi", "x"],
          questions: Shard.whole.questions(of: [question, other, unanswered]))
        var drafted = [
          promptStep(verify: 1), round(drafted: 2, accepted: 1, verify: 1.25),
          round(drafted: 3, accepted: 0, verify: 1.25), round(drafted: 0, accepted: 0, verify: 1),
        ]
        for index in drafted.indices.dropFirst() {
          drafted[index].parents = drafted[index].drafted.indices.map { $0 - 1 }
          drafted[index].sources = drafted[index].drafted.map { _ in "d" }
          var tree = DraftTree()
          tree.add(7, score: 0.8, source: "d")
          drafted[index].proposals = [DrafterProposal(drafter: "d", tree: tree, seconds: 0)]
        }
        let plain =
          [promptStep(verify: 1)]
          + Array(repeating: round(drafted: 0, accepted: 0, verify: 1), count: 4)
        for (id, token) in [("1", "학교는"), ("2", " 12")] {
          for answer in answers(id, plain: plain, drafter: drafted, text: "답") {
            try session.add(answer) { $0 == 1 ? [0xED, 0x95] : Array(token.utf8) }
          }
        }
        try session.note(
          costs: VerificationCosts(points: [
            .init(rows: 1, seconds: 0.01), .init(rows: 4, seconds: 0.02),
          ]), peakMemory: 1_000_000)
        return session
      }
      let sessions = [try session("de", "translation-to-english"), try session("ko", "stem")]
      let problems = try RunReport(
        sessions.map { ($0.run, $0.database) }, folder: folder, language: .ko
      ).write()
      #expect(problems.isEmpty)
      let page = try String(contentsOfFile: "\(folder)/index.html", encoding: .utf8)
      #expect(page.contains(#"<html lang="ko">"#))
      for part in ["요약", "과제별 배속", "언어별 배속", "위치별 수락률", "검증 비용", "점수 보정 (A)", "조건"] {
        #expect(page.contains("<h2>\(part)</h2>"), "\(part)")
      }
      let data: Set<String> = ["ko", "de", "portable", "Hang", "Latn", "Zzzz"]
      let words = latinWords(try visible(page)).subtracting(Self.names).subtracting(data)
      // Of the machine: its name, and the time that the run began.
      let machine = latinWords(sessions[0].run.conditions.processor ?? "")
      #expect(words.subtracting(machine).isEmpty, "\(words)")
    }
  }

  @Test("a Korean scaling study has no English but what its file says")
  func scaling() throws {
    try withFolder { folder in
      let study = try ScalingStudy()
      let problems = try study.write(to: folder, command: ["nunchi"], language: .ko)
      #expect(problems.isEmpty)
      let page = try String(contentsOfFile: "\(folder)/index.html", encoding: .utf8)
      let definition = study.definition
      let data = latinWords(
        (definition.accelerators.map { "\($0.name) \($0.source)" }
          + definition.models.map(\.name) + definition.published.map(\.method))
          .joined(separator: " "))
      let words = latinWords(try visible(page)).subtracting(Self.names).subtracting(data)
      #expect(words.isEmpty, "\(words)")
    }
  }

  @Test("the plots of Korean experiments have no English but names", arguments: ["n", "language"])
  func experiments(axis: String) throws {
    try withFolder { folder in
      var definition = ExperimentDefinition()
      definition.name = "e"
      definition.title = axis == "n" ? "Draft length" : "Languages"
      definition.x = try #require(ExperimentDefinition.Axis(rawValue: axis))
      definition.targets = ["큰 모델"]
      definition.drafters = ["초안"]
      definition.draftLengths = axis == "n" ? [1, 2] : []
      let rows = ExperimentPlotsTests.rows(definition, groups: axis == "n" ? [nil] : ["ko", "de"])
      let plots = ExperimentPlots(
        definitions: [definition], rows: rows, costs: [:], folder: folder, language: .ko,
        command: "")
      let (sections, problems) = try plots.draw()
      #expect(problems.isEmpty && sections.count == (axis == "n" ? 3 : 4))
      let page = ReportPage(
        title: "", subtitle: "", sections: sections, conditions: [], language: .ko)
      let words = latinWords(try visible(try page.html())).subtracting(["ko", "de"])
      #expect(words.isEmpty, "\(words)")
    }
  }
}

@Suite struct ShellCommandTests {
  @Test("a shell gives a printed command's arguments back, whatever stands in them")
  func quoting() throws {
    let arguments = [
      "plain", "with space", "it's", "$HOME `x` \"y\"", "*", "~", "", "눈치", "a\\b", "line\nend",
      "--option=a b", "#", "!", "유/나 다.db", "k=v", "a;b", "a&b", "(c)", "<d>", "{e,f}", "?",
    ]
    let line = ShellCommand.line(["/a/b/nunchi"] + arguments)
    #expect(line.hasPrefix("nunchi plain 'with space' "))
    let shell = ChildProcess(
      program: "sh", arguments: ["-c", "nunchi() { printf '%s\\037' \"$@\"; }; \(line)"],
      purpose: "to read a command")
    let (result, text) = try shell.output()
    #expect(result.status == 0)
    #expect(
      text.split(separator: "\u{1F}", omittingEmptySubsequences: false).dropLast().map {
        String($0)
      } == arguments)
  }

  @Test("a run without a command has none")
  func empty() { #expect(ShellCommand.line([]) == "") }
}
