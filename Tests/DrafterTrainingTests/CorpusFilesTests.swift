import Foundation
import Testing

@testable import DrafterTraining

@Suite("Corpus: files, hostile input and prompts")
struct CorpusFilesTests {
  /// A folder of its own, gone with the test.
  final class Folder {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("corpus-\(UUID().uuidString)").path

    init(_ files: [String: String] = [:]) throws {
      for (name, text) in files { try write(Data(text.utf8), to: name) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ data: Data, to name: String) throws {
      let file = URL(fileURLWithPath: "\(path)/\(name)")
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try data.write(to: file)
    }

    func documents(_ split: String) throws -> [CorpusDocument] {
      try String(contentsOfFile: "\(path)/\(split).jsonl", encoding: .utf8).split(separator: "\n")
        .map { try JSONDecoder().decode(CorpusDocument.self, from: Data($0.utf8)) }
    }
  }

  static func build(_ inputs: [String], skipsBroken: Bool = false) throws -> CorpusBuilder {
    let split = try CorpusSplit(heldout: 0.2, validation: 0.2)
    var builder = CorpusBuilder(
      settings: try CorpusSettings(split: split, minimumCharacters: 8))
    var reader = CorpusReader()
    reader.skipsBroken = skipsBroken
    try builder.add(inputs, with: &reader)
    return builder
  }

  /// Pages in Korean, English and German, each about something of its own.
  static func pages(_ range: Range<Int>) -> [String: String] {
    var pages: [String: String] = [:]
    for number in range {
      let name = "text/page\(number).html"
      let odd = (0..<12).map { String((number + 3) * ($0 + 7) * 7919 % 10007) }
      func sentences(_ begin: String, _ end: String) -> String {
        odd.map { "\(begin) \($0) \(end)" }.joined(separator: " ")
      }
      func html(_ title: String, _ text: String) -> String {
        "<html><head><title>x</title></head><body><nav>menu</nav><h1>\(title) \(number)</h1>"
          + "<p>\(text)</p><p>\(text.split(separator: " ").reversed().joined(separator: " "))</p>"
      }
      pages["help/ko/\(name)"] = html("기능", sentences("이 기능은", "번 셀을 선택합니다."))
      pages["help/en-US/\(name)"] = html(
        "Function", sentences("This is the function for cell", "and you can use it."))
      pages["help/de/\(name)"] = html(
        "Funktion", sentences("Das ist die Funktion für Zelle", "und Sie können sie nutzen."))
    }
    return pages
  }

  @Test("All languages of a page are in one part, which adding files does not change")
  func splits() throws {
    let few = try Folder(Self.pages(0..<20))
    let many = try Folder(Self.pages(0..<40))
    func parts(_ folder: Folder) throws -> [String: Set<Split>] {
      let builder = try Self.build(["\(folder.path)/help"])
      _ = try builder.write(to: "\(folder.path)/corpus")
      var parts: [String: Set<Split>] = [:]
      for split in Split.allCases {
        let path = "\(folder.path)/corpus/\(split).jsonl"
        for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n") {
          let document = try JSONDecoder().decode(CorpusDocument.self, from: Data(line.utf8))
          parts[document.group, default: []].insert(split)
        }
      }
      return parts
    }
    let before = try parts(few)
    let after = try parts(many)
    #expect(before.count == 20)
    #expect(after.count == 40)
    #expect(after.values.allSatisfy { $0.count == 1 })
    #expect(Set(after.values).count == 3)
    for (group, split) in before { #expect(after[group] == split) }
  }

  @Test("Half-translated pages keep the paragraphs of their own language")
  func halfTranslated() throws {
    let folder = try Folder([
      "a.html": """
      <h1>필터</h1><p>필터를 다시 설정하려면 아이콘을 누르십시오. 그러면 모두 표시됩니다.</p>
      <p>To remove the current filter, click the icon that is shown here.</p>
      """
    ])
    let builder = try Self.build([folder.path])
    #expect(builder.documents.map(\.language) == ["ko"])
    #expect(builder.documents.first?.text.contains("remove") == false)
    #expect(builder.dropped.paragraphs == 1)
  }

  @Test("A page that is not translated is left out of its language")
  func untranslated() throws {
    let folder = try Folder([
      "help/de/a.html": "<p>This is the page that has not been translated yet.</p>",
      "help/de/b.html": "<p>Das ist die Seite, die übersetzt ist.</p>",
    ])
    let builder = try Self.build(["\(folder.path)/help"])
    #expect(builder.documents.map(\.source) == ["help/de/b.html"])
    #expect(builder.dropped.untranslated == 1)
  }

  @Test("Every kind of file is read, and translations find each other")
  func kinds() throws {
    let folder = try Folder([
      "a/plain.txt": "This is the first paragraph of it.\n\nAnd this is the second one.",
      "a/lines.jsonl": """
      {"text": "Das ist der erste Text, und er ist kurz."}
      {"prompt": "¿Qué es esto y para qué sirve la tabla?"}
      {"messages": [{"role": "user", "content": "What is this?"}, {"role": "assistant", "content": "It is the thing."}]}
      {"conversations": [{"from": "human", "value": "Qu'est-ce que c'est ?"}, {"from": "gpt", "value": "C'est une chose pour vous."}]}
      """,
      "a/table.tsv": "ko\ten\n첫째 문장은 이것입니다.\tThis is the first sentence.\n",
      "a/news.en": "The first line is here.\nThe second line is there.\n",
      "a/news.fr": "La première ligne est ici.\nLa seconde ligne est là-bas.\n",
      "a/sum.py": "def add(a, b):\n    return a + b\n",
      "a/picture.png": "\0\0",
    ])
    let builder = try Self.build(["\(folder.path)/a"])
    let bySource = Dictionary(uniqueKeysWithValues: builder.documents.map { ($0.source, $0) })
    #expect(bySource["a/plain.txt"]?.language == "en")
    #expect(
      (1...4).map { bySource["a/lines.jsonl#\($0)"]?.language } == ["de", "es", "en", "fr"])
    #expect(bySource["a/lines.jsonl#3"]?.text == "What is this?\n\nIt is the thing.")
    #expect(bySource["a/table.tsv#2.1"]?.language == "ko")
    #expect(bySource["a/table.tsv#2.1"]?.group == bySource["a/table.tsv#2.2"]?.group)
    #expect(bySource["a/news.fr#2"]?.text == "La seconde ligne est là-bas.")
    #expect(bySource["a/news.fr#2"]?.group == bySource["a/news.en#2"]?.group)
    #expect(bySource["a/sum.py"]?.isCode == true)
    #expect(builder.documents.count == 12)
  }

  @Test("Errors name the file and the line")
  func hostile() throws {
    let folder = try Folder(["good.txt": "This is the text that is good."])
    let cases: [(name: String, data: Data, line: Int, field: String)] = [
      ("bad.txt", Data("one\ntwo\n".utf8) + [0xFF, 0xFE] + Data("\nthree".utf8), 3, "text"),
      ("binary.html", Data("<p>a\n".utf8) + [0, 1, 2], 2, "text"),
      ("bad.jsonl", Data("{\"text\": \"\"}\n{\"text\":".utf8), 1, "text"),
      ("empty.jsonl", Data("{\"id\": 7}".utf8), 1, "text"),
      ("typed.jsonl", Data("{\"text\": 7}".utf8), 1, "text"),
      ("bytes.jsonl", Data("{\"text\": \"".utf8) + [0xC3, 0x28] + Data("\"}".utf8), 1, "line"),
      ("narrow.tsv", Data("a\tb\nc\n".utf8), 2, "columns"),
      ("long.tsv", Data(repeating: 0x61, count: CorpusReader.longestLine + 1), 1, "line"),
    ]
    for entry in cases {
      try folder.write(entry.data, to: entry.name)
      let path = "\(folder.path)/\(entry.name)"
      let error = try #require(throws: TrainingError.self) { try Self.build([path]) }
      guard case .line(let foundPath, let line, let field, _, _) = error else {
        Issue.record("\(entry.name): \(error)")
        continue
      }
      #expect(foundPath == path)
      #expect(line == entry.line, "\(entry.name)")
      #expect(field == entry.field, "\(entry.name)")
    }
    // In a folder they can be passed over; what was read stays.
    let builder = try Self.build([folder.path], skipsBroken: true)
    #expect(builder.documents.contains { $0.text == "This is the text that is good." })
    #expect(throws: TrainingError.self) { try Self.build([folder.path]) }
    #expect(throws: TrainingError.self) { try Self.build(["\(folder.path)/nothing"]) }
  }

  @Test("Files that should go line by line but do not are told apart")
  func unevenLines() throws {
    let folder = try Folder(["x.en": "One line.\nAnother one.\n", "x.ko": "한 줄입니다.\n"])
    let error = try #require(throws: TrainingError.self) { try Self.build([folder.path]) }
    #expect("\(error)".contains("x.ko, line 2"))
  }

  @Test("Equal and nearly equal documents are there once")
  func duplicates() throws {
    let text = (0..<200).map { "sentence \($0 * 7919 % 1000) is the one" }.joined(separator: ". ")
    let folder = try Folder([
      "a.txt": text, "b.txt": text, "c.txt": text + " And more.",
      "d.txt": String(text.reversed()),
    ])
    let builder = try Self.build([folder.path])
    #expect(builder.documents.map { $0.source.suffix(5) } == ["a.txt", "d.txt"])
    #expect(builder.dropped.equal == 1)
    #expect(builder.dropped.near == 1)
  }

  @Test("Statistics count documents, characters and words of each language")
  func statistics() throws {
    let folder = try Folder([
      "a.txt": "이 글은 한국어로 쓰여 있습니다.", "b.txt": "これは日本語の文章です。", "c.go": "package main\n",
    ])
    let statistics = try Self.build([folder.path]).write(to: "\(folder.path)/out")
    let byLanguage = Dictionary(
      uniqueKeysWithValues: statistics.languages.map { ($0.language, $0) })
    #expect(byLanguage["ko"]?.words == 5)
    #expect(byLanguage["ko"]?.characters == 18)
    #expect(byLanguage["ja"]?.words == nil)
    #expect(byLanguage["go"]?.documents == 1)
    let json = try String(contentsOfFile: "\(folder.path)/out/statistics.json", encoding: .utf8)
    #expect(json.contains("\"language\" : \"ko\""))
  }

  @Test("Prompts are in their document's part, bounded, and the same for the same seed")
  func prompts() throws {
    var pages = Self.pages(0..<30)
    for number in 0..<12 {
      let lines = (0..<9).map { "    value\($0) = \(number * 31 + $0) * argument + \($0)" }
      pages["help/m\(number).py"] =
        "def function\(number)(argument):\n"
        + lines.joined(separator: "\n") + "\n    return value8\n"
    }
    let folder = try Folder(pages)
    let builder = try Self.build(["\(folder.path)/help"])
    _ = try builder.write(to: "\(folder.path)/corpus")
    let splits = Dictionary(
      builder.documents.map {
        ($0.group, try? CorpusSplit(heldout: 0.2, validation: 0.2).split(of: $0.group))
      },
      uniquingKeysWith: { first, _ in first })
    func prompts(_ seed: UInt64) throws -> [TextPrompt] {
      var writer = try TextPromptWriter(
        corpus: "\(folder.path)/corpus",
        settings: TextPromptSettings(perLanguage: 25, maximumCharacters: 900, seed: seed))
      writer.write()
      return writer.prompts
    }
    let found = try prompts(1)
    let counts = Dictionary(grouping: found, by: \.language).mapValues(\.count)
    #expect(counts["ko"] == 25)
    #expect(counts["en"] == 25)
    #expect(counts["code"] == 25)
    #expect(Set(found.filter { $0.language == "ko" }.map(\.category)) == Set(PromptWordings.prose))
    for prompt in found {
      #expect(splits[prompt.document] == prompt.split)
      #expect(prompt.prompt.count < 1200)
      #expect(!prompt.prompt.contains("{text}") && !prompt.prompt.contains("{language}"))
    }
    #expect(Set(found.map(\.prompt)).count == found.count)
    #expect(try prompts(1) == found)
    #expect(try prompts(2) != found)
  }

  @Test("Marks in a passage are left alone")
  func marks() {
    let text = TextPromptWriter.filled("{title}: {text} {x}", ["title": "{text}", "text": "a}"])
    #expect(text == "{text}: a} {x}")
  }

  @Test("Wordings without a passage are an error that names them")
  func wordings() throws {
    #expect(try PromptWordings().languages.keys.count == 10)
    let error = try #require(throws: TrainingError.self) {
      try PromptWordings(yaml: "xx:\n  explain: [\"Explain.\"]", path: "w.yaml")
    }
    #expect("\(error)".hasPrefix("w.yaml: xx.explain: "))
  }
}
