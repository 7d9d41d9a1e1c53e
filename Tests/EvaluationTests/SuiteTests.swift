import Foundation
import Testing

@testable import Evaluation

@Suite struct SuiteTests {
  private func read(_ text: String, path: String = "s.jsonl") throws -> Suite {
    try Suite(Data(text.utf8), path: path)
  }

  @Test("Spec-Bench's lines give conversations, whatever else stands in them")
  func specBench() throws {
    let suite = try read(
      """
      {"question_id": 81, "category": "writing", "turns": ["Write.", "Again, 짧게."]}

      {"question_id": "wmt_1", "category": "qa", "turns": ["Who?"], "reference": ["x", null]}
      """, path: "folder/question.jsonl")
    #expect(suite.name == "question.jsonl")
    #expect(
      suite.questions == [
        Question(id: "81", category: "writing", turns: ["Write.", "Again, 짧게."]),
        Question(id: "wmt_1", category: "qa", turns: ["Who?"]),
      ])
  }

  @Test("lines with a prompt need neither an id nor a category")
  func prompts() throws {
    let suite = try read("{\"prompt\": \"a\"}\r\n{\"prompt\": \"b\", \"category\": \"ko\"}")
    #expect(
      suite.questions == [
        Question(id: "1", category: "prompts", turns: ["a"]),
        Question(id: "2", category: "ko", turns: ["b"]),
      ])
  }

  @Test(
    "a suite may be one JSON array, in a line or over many",
    arguments: ["suite.json", "suite.jsonl", "suite"])
  func array(path: String) throws {
    let line = """
      [{"question_id":1,"category":"writing","turns":["Name a hill."]},{"prompt":"a"}]
      """
    let suites = try [
      line, line.replacing("{", with: "{\n  ").replacing(",", with: ",\n"),
    ].map { try read($0, path: path) }
    for suite in suites {
      #expect(
        suite.questions == [
          Question(id: "1", category: "writing", turns: ["Name a hill."]),
          Question(id: "2", category: "prompts", turns: ["a"]),
        ])
    }
    for (text, message) in [
      ("[{\"prompt\": \"a\"},\n{\"prompt\": 3}]", "line 2: [1].prompt: expected text"),
      ("[{\"prompt\": \"a\"},\n{\"prompt\"", "line 2: [1]: expected an entry, then \"]\""),
    ] {
      let error = #expect(throws: EvaluationError.self) { try read(text, path: path) }
      #expect("\(String(describing: error))".contains("\(path), \(message)"))
    }
  }

  @Test("a text has a prompt on each line that is not blank, and may begin with a byte order mark")
  func text() throws {
    let suite = try read("\u{FEFF}First one\r\n\n  \n안녕하세요?\n", path: "list.txt")
    #expect(suite.questions.map(\.turns) == [["First one"], ["안녕하세요?"]])
    #expect(suite.questions.map(\.id) == ["1", "4"])
  }

  @Test(
    "a bad line gives one error with the file, the line, the field, expected and found",
    arguments: [
      ("{\"prompt\": \"a\"", "s.jsonl, line 2: line: expected a JSON object, found text"),
      ("[1]", "line 2: line: expected a JSON object, found a list"),
      ("{}", "line 2: turns: expected turns or prompt, found neither"),
      ("{\"prompt\": \"a\", \"turns\": [\"b\"]}", "turns: expected turns or prompt, found both"),
      ("{\"prompt\": 3}", "prompt: expected text, found the number 3"),
      ("{\"prompt\": \" \\n\"}", "prompt: expected text, found an empty one"),
      ("{\"prompt\": null}", "prompt: expected text, found null"),
      ("{\"category\": \"qa\", \"turns\": []}", "turns: expected a list of at least one text"),
      ("{\"category\": \"qa\", \"turns\": \"a\"}", "turns: expected a list"),
      (
        "{\"category\": \"qa\", \"turns\": [\"a\", {}]}",
        "turns[1]: expected text, found an object"
      ),
      ("{\"turns\": [\"a\"]}", "category: expected text, found none"),
      ("{\"category\": \"\", \"turns\": [\"a\"]}", "category: expected text, found an empty text"),
      ("{\"category\": [], \"prompt\": \"a\"}", "category: expected text, found an empty list"),
      (
        "{\"question_id\": true, \"prompt\": \"a\"}",
        "question_id: expected a whole number or text, found true or false"
      ),
      ("{\"question_id\": 1.5, \"prompt\": \"a\"}", "question_id: expected a whole number"),
      (
        "{\"question_id\": 1, \"prompt\": \"a\"}",
        "question_id: expected an id of its own, found 1, which line 1 has"
      ),
      (String(repeating: "[", count: 1000), "line 2: line: expected a JSON object"),
    ])
  func hostile(line: String, message: String) throws {
    let error = #expect(throws: EvaluationError.self) {
      try read("{\"question_id\": 1, \"prompt\": \"good\"}\n\(line)\n")
    }
    let text = try #require(error).description
    #expect(text.contains(message))
    #expect(text.hasPrefix("s.jsonl, line 2: "))
    #expect(!text.contains("\n"))
  }

  @Test("bytes that are no UTF-8 name their line")
  func notText() throws {
    let error = #expect(throws: EvaluationError.self) {
      try Suite(Data("good\n".utf8) + Data([0xFF, 0xC0]), path: "list.txt")
    }
    #expect(error?.description == "list.txt, line 2: text: expected UTF-8, found other bytes")
  }

  @Test(
    "a suite without a question, and one that is not there, are errors", arguments: ["", "\n\n"])
  func empty(text: String) throws {
    #expect(throws: EvaluationError.noQuestions(path: "s.jsonl")) { try read(text) }
    #expect(throws: EvaluationError.self) { try Suite(path: "/nowhere/s.jsonl") }
  }

  @Test("a selection takes the first of each category, then the first of all")
  func selection() {
    let suite = Suite(
      name: "s",
      questions: zip(1..., "aababc").map {
        Question(id: "\($0)", category: String($1), turns: ["?"])
      })
    func ids(_ questions: [Question]) -> String { questions.map(\.id).joined() }
    #expect(ids(suite.selection()) == "123456")
    #expect(ids(suite.selection(perCategory: 1)) == "136")
    #expect(ids(suite.selection(limit: 2)) == "12")
    #expect(ids(suite.selection(perCategory: 2, limit: 4)) == "1235")
  }

  @Test("a limit takes the languages in turns, and what is left out is told")
  func limitAndLanguages() throws {
    let suite = Suite(
      name: "s",
      questions: zip(1..., ["en", "en", "en", "ko", "ko", "ja"]).map {
        Question(id: "\($0)", category: $0 > 2 ? "b" : "a", language: $1, turns: ["?"])
      })
    func ids(_ limit: Int) -> String { suite.selection(limit: limit).map(\.id).joined() }
    #expect((1...6).map(ids) == ["1", "14", "146", "1246", "12456", "123456"])
    #expect(suite.caption(of: suite.questions) == nil)
    #expect(
      suite.caption(of: suite.selection(limit: 2))
        == "2 of 6 questions (en 1, ko 1); none of language ja")
    #expect(
      suite.caption(of: suite.selection(languages: ["en"], limit: 2))
        == "2 of 6 questions (en 2); none of language ko, ja; none of category b")
    // As `experiment language --limit 20` asks it.
    let multilingual = try Suite(path: "multilingual")
    let asked = multilingual.selection(perCategory: 1, limit: 20)
    let counts = Dictionary(grouping: asked, by: \.language).mapValues(\.count)
    #expect(counts.count == 10 && counts.values.allSatisfy { $0 == 2 })
  }

  @Test("groups are the categories in order, MT-bench after its last one, and all")
  func groups() {
    let groups = CategoryGroup.groups(of: ["writing", "stem", "writing", "qa", "rag"])
    #expect(groups.map(\.name) == ["writing", "stem", "mt-bench", "qa", "rag"])
    #expect(groups[2].categories.isSuperset(of: ["writing", "stem", "coding"]))
    #expect(!groups[2].categories.contains("qa"))
    #expect(CategoryGroup.groups(of: ["ko", "ja"]).map(\.name) == ["ko", "ja"])
  }

  @Test("a folder is all of its files together, and an id in two of them is named")
  func folder() throws {
    try withTemporaryFile { path in
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
      func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: folder.appendingPathComponent(name))
      }
      try write("b.jsonl", #"{"question_id": "b", "prompt": "B", "language": "ko"}"#)
      try write("a.jsonl", #"{"question_id": "a", "prompt": "A"}"#)
      try write("notes.md", "no questions")
      let suite = try Suite(path: folder.path)
      #expect(suite.questions.map(\.id) == ["a", "b"])
      #expect(suite.questions.map(\.language) == [nil, "ko"])
      let checksum = try suite.checksum()
      try write("c.jsonl", #"{"question_id": "a", "prompt": "C"}"#)
      let error = #expect(throws: EvaluationError.self) { try Suite(path: folder.path) }
      #expect(
        error?.description.hasSuffix(
          "c.jsonl: question_id: expected an id of its own, found a, which a.jsonl has") == true)
      try write("c.jsonl", #"{"question_id": "c", "prompt": "C"}"#)
      #expect(try Suite(path: folder.path).checksum() != checksum)
    }
  }

  @Test("the suite that comes with Nunchi has the same tasks in ten languages")
  func multilingual() throws {
    let suite = try Suite(path: "multilingual")
    let languages = Dictionary(grouping: suite.questions) { $0.language ?? "" }
    #expect(
      languages.keys.sorted() == ["ar", "de", "en", "es", "fr", "ja", "ko", "ru", "vi", "zh"])
    let korean = try Suite(path: "multilingual/ko").questions
    #expect(languages["ko"] == korean)
    #expect(korean.count { $0.category == "korean" } == 12)
    let tasks = korean.filter { $0.category != "korean" }
    #expect(tasks.count == 40)
    for (language, questions) in languages where language != "ko" {
      #expect(questions.map(\.category) == tasks.map(\.category), "\(language)")
      #expect(questions.map(\.turns.count) == tasks.map(\.turns.count), "\(language)")
    }
    // One prompt asks for decomposed syllables, and has them.
    let jamo = korean.filter {
      $0.turns.joined().unicodeScalars.contains { (0x1100...0x11FF).contains($0.value) }
    }
    #expect(jamo.map(\.id) == ["ko-korean-jamo-2"])
  }

  @Test("a question file with bytes changed, dropped or doubled is read, or refused by line")
  func mutated() throws {
    let sound = Data(
      """
      {"question_id": 81, "category": "writing", "turns": ["Tell me of Hawaii.", "Shorter \\u00e9."]}
      {"question_id": "ko-1", "category": "chat", "language": "ko", "turns": ["안녕하세요?"]}
      {"prompt": "Say: red green", "category": "qa"}

      """.utf8)
    var random = SystemRandomNumberGenerator()
    var refused = 0
    for _ in 0..<400 {
      var bytes = sound
      for _ in 0...Int.random(in: 0...3, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0...2, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: place)
        default: bytes.insert(bytes[place], at: place)
        }
      }
      do {
        let suite = try Suite(bytes, path: "s.jsonl")
        #expect(suite.questions.allSatisfy { !$0.turns.isEmpty })
      } catch let error as EvaluationError {
        #expect(error.description.hasPrefix("s.jsonl, line "), "\(error)")
        refused += 1
      }
    }
    #expect(refused > 100)
  }
}
