import Foundation
import Testing

@testable import Tokenization

struct ChatTemplateTests {
  /// What `Scripts/make_tokenizer_goldens.py` had transformers' Jinja write.
  struct Golden {
    var sources: [String: String] = [:]
    var cases: [(template: String, variables: [String: TemplateValue], output: String?)] = []
    var snippets: [(source: String, output: String?)] = []

    init() throws {
      let text = String(decoding: try Goldens.data("templates.json"), as: UTF8.self)
      guard case .object(let root) = try TemplateValue(json: text),
        case .object(let sources)? = root["sources"], case .array(let cases)? = root["cases"],
        case .array(let snippets)? = root["snippets"]
      else { throw CocoaError(.fileReadCorruptFile) }
      for (name, source) in sources.members { self.sources[name] = source.string }
      for case .object(let entry) in cases {
        guard case .object(let variables)? = entry["variables"] else { continue }
        self.cases.append(
          (
            entry["template"]?.string ?? "",
            Dictionary(uniqueKeysWithValues: variables.members.map { ($0.name, $0.value) }),
            entry["output"]?.string
          ))
      }
      for case .array(let pair) in snippets {
        self.snippets.append((pair[0].string ?? "", pair[1].string))
      }
    }
  }

  @Test("Published templates write what transformers writes, and refuse what it refuses")
  func published() throws {
    let golden = try Golden()
    #expect(golden.sources.count == 8 && golden.cases.count >= 80)
    let templates = try golden.sources.mapValues { try ChatTemplate(source: $0) }
    for (name, variables, output) in golden.cases {
      let template = try #require(templates[name])
      if let output {
        let found = try template.render(variables: variables)
        #expect(found == output, "\(name)")
      } else {
        #expect(throws: TokenizationError.self) { try template.render(variables: variables) }
      }
    }
  }

  @Test("Every feature does what Python's Jinja does")
  func features() throws {
    let golden = try Golden()
    #expect(golden.snippets.count >= 60)
    for (source, output) in golden.snippets {
      let render = { try ChatTemplate(source: source).render(variables: ["messages": []]) }
      if let output {
        do {
          #expect(try render() == output, "\(source)")
        } catch {
          Issue.record("\(source): \(error)")
        }
      } else {
        #expect(throws: TokenizationError.self, "\(source)") { try render() }
      }
    }
  }

  @Test("The real model's template runs through the public call")
  func realModel() throws {
    let template = try #require(try Goldens.smollm.tokenizer().chatTemplate)
    let text = try template.render(
      messages: [ChatMessage(role: "user", content: "눈치가 뭐야?")], addGenerationPrompt: true)
    #expect(
      text == """
        <|im_start|>system
        You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
        <|im_start|>user
        눈치가 뭐야?<|im_end|>
        <|im_start|>assistant

        """)
  }

  @Test("Dates are written as strftime writes them")
  func dates() throws {
    var parts = DateComponents(year: 2024, month: 7, day: 4, hour: 9, minute: 5, second: 3)
    parts.calendar = Calendar(identifier: .gregorian)
    let now = try #require(parts.date)
    let template = try ChatTemplate(source: "{{ strftime_now('%d %b %Y %A %B %H:%M:%S %y %%') }}")
    #expect(
      try template.render(variables: [:], now: now) == "04 Jul 2024 Thursday July 09:05:03 24 %")
  }

  @Test("Errors name the line, what was expected and what was found")
  func errors() {
    #expect(
      throws: TokenizationError.template(
        line: 3, expected: "a filter", found: "\"nofilter\"")
    ) { try ChatTemplate(source: "a\nb\n{{ 1|nofilter }}").render(variables: [:]) }
    #expect(
      throws: TokenizationError.template(
        line: 2, expected: "{% elif %} or {% else %} or {% endif %}",
        found: "the end of the template")
    ) { try ChatTemplate(source: "\n{% if true %}") }
    #expect(throws: TokenizationError.templateRaised("no")) {
      try ChatTemplate(source: "{{ raise_exception('no') }}").render(variables: [:])
    }
  }

  static let hostile: [String] = [
    "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "{{ range(999999999)|length }}",
    "{{ 'x' * 999999999999 }}", "{{ 'xy' * 9223372036854775807 }}",
    "{% set ns = namespace(x='xxxxxxxx') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(x) %}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "{{ 'a'.replace('a', 'b' * 1000000).replace('b', 'c' * 1000000) }}",
    "{{ 9223372036854775807 + 1 }}", "{{ (-9223372036854775807 - 1) // -1 }}", "{{ 1 % 0 }}",
    "{{ [1, 2][::0] }}", "{{ 'abc'|indent(99999999) }}", "{{ 1|tojson(indent=99999999) }}",
    "{{ ([1] * 3) }}", "{{ {}.x.y }}", "{{ [1].x() }}", "{{ none() }}",
    String(repeating: "{{ (", count: 1) + String(repeating: "(", count: 100_000),
    "{{ " + String(repeating: "not ", count: 100_000) + "1 }}",
    "{{ " + String(repeating: "-", count: 100_000) + "1 }}",
    "{{ " + String(repeating: "1+", count: 100_000) + "1 }}",
    "{{ a" + String(repeating: "[0]", count: 100_000) + " }}",
    String(repeating: "{% if true %}", count: 100_000),
    String(repeating: "[", count: 100_000), "{{ " + String(repeating: "[", count: 100_000),
    "{{ \"\\ud800\" }}", "{{ '\\u12", "{% set a.b = 1 %}", "{% set a, b = [1] %}", "{{ 1e999 }}",
    "{{ 99999999999999999999999999|int|string * 5 }}{{ x.y }}",
  ].filter { !$0.hasPrefix("[") }

  @Test("Hostile templates end in an error, soon", arguments: hostile.indices)
  func bounded(index: Int) {
    let start = ContinuousClock.now
    #expect(throws: TokenizationError.self, "\(Self.hostile[index].prefix(80))") {
      try ChatTemplate(source: Self.hostile[index]).render(variables: [:])
    }
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test("Mutated templates never crash")
  func mutated() throws {
    var generator = SplitMix(state: 3)
    let sources = try Golden().sources.sorted { $0.key < $1.key }.map { Array($0.value.utf8) }
    var failures = 0
    for _ in 0..<1_000 {
      var bytes = sources.randomElement(using: &generator) ?? []
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        bytes.mutate(using: &generator)
      }
      do {
        let template = try ChatTemplate(source: String(decoding: bytes, as: UTF8.self))
        _ = try template.render(
          messages: [ChatMessage(role: "user", content: "x")], addGenerationPrompt: true)
      } catch is TokenizationError {
        failures += 1
      }
    }
    #expect(failures > 100)
  }
}

extension TemplateValue {
  var string: String? { if case .string(let text) = self { text } else { nil } }
}
