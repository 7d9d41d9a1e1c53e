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
      for (name, source) in sources.members { self.sources[name.string ?? ""] = source.string }
      for case .object(let entry) in cases {
        guard case .object(let variables)? = entry["variables"] else { continue }
        self.cases.append(
          (
            entry["template"]?.string ?? "",
            Dictionary(
              uniqueKeysWithValues: variables.members.map { ($0.key.string ?? "", $0.value) }),
            entry["output"]?.string
          ))
      }
      self.snippets = Self.pairs(snippets)
    }

    private static func pairs(_ list: [TemplateValue]) -> [(source: String, output: String?)] {
      list.compactMap { element in
        guard case .array(let pair) = element, pair.count == 2 else { return nil }
        return (pair[0].string ?? "", pair[1].string)
      }
    }

    /// What `Scripts/make_template_goldens.py` wrote.
    static func features(_ name: String) throws -> [(source: String, output: String?)] {
      let text = String(decoding: try Goldens.data("template-features.json"), as: UTF8.self)
      guard case .object(let root) = try TemplateValue(json: text),
        case .array(let list)? = root[name]
      else { throw CocoaError(.fileReadCorruptFile) }
      return pairs(list)
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

  @Test("Every feature does what Python's Jinja does, and what it refuses is refused")
  func features() throws {
    let snippets = try Golden().snippets + Golden.features("snippets")
    #expect(snippets.count >= 300)
    for (source, output) in snippets {
      let render = {
        try ChatTemplate(source: source).render(
          variables: ["messages": [], "tools": .none, "documents": .none])
      }
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

  @Test("Tools and documents that nobody gives are none, and given ones are what is given")
  func toolsAreNone() throws {
    let template = try ChatTemplate(
      source: "{% if tools is not none %}{{ tools|length }}{% endif %}{{ documents is none }}")
    let messages = [ChatMessage(role: "user", content: "x")]
    #expect(try template.render(messages: messages, addGenerationPrompt: true) == "True")
    let given = try template.render(
      messages: messages, addGenerationPrompt: true, variables: ["tools": [1, 2]])
    #expect(given == "2True")
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

  @Test("Dates are written as Python's strftime writes them")
  func dates() throws {
    var parts = DateComponents(year: 2024, month: 7, day: 4, hour: 9, minute: 5, second: 3)
    parts.calendar = Calendar(identifier: .gregorian)
    let now = try #require(parts.date)
    let template = try ChatTemplate(source: "{{ strftime_now(format) }}")
    let dates = try Golden.features("dates")
    #expect(dates.count > 15)
    for (format, text) in dates {
      let found = try template.render(variables: ["format": .string(format)], now: now)
      #expect(found == text, "\(format)")
    }
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
    #expect(
      throws: TokenizationError.template(
        line: 2, expected: "arguments named \"default\", \"base\" in the filter \"int\"",
        found: "\"fallback\"")
    ) { try ChatTemplate(source: "\n{{ 'x'|int(fallback=1) }}").render(variables: [:]) }
    #expect(
      throws: TokenizationError.template(
        line: 1, expected: "a function, a macro or a method that changes nothing",
        found: "\".append\"")
    ) { try ChatTemplate(source: "{{ [].append(1) }}").render(variables: [:]) }
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
    "{% set n = namespace(x=1) %}{% for i in range(99999) %}{% set n.x = namespace(x=n.x) %}"
      + "{% endfor %}{{ n.x.x.y.z }}",
    "{% set n = namespace(f=range) %}{% macro wrap(f) %}{% macro g() %}{{ f() }}{% endmacro %}"
      + "{% set n.f = g %}{% endmacro %}{% for i in range(50000) %}{{ wrap(n.f) }}{% endfor %}"
      + "{{ n.f() }}",
    "{% set n = namespace(x=[]) %}{% for i in range(999) %}"
      + "{% set n.x = n.x|batch(1)|list + [1] %}{% set n.x = [n.x]|groupby(0) %}{% endfor %}",
    "{% for t in [1] recursive %}{{ loop([t]) }}{% endfor %}",
    "{{ [1] * 9999999999 }}", "{{ 'x'|center(999999999) }}", "{{ 'x'.ljust(999999999) }}",
    "{{ '%999999999d' % 1 }}", "{{ '{:999999999}'.format(1) }}", "{{ '%.999999999f' % 1 }}",
    "{{ ('\\t' * 9999999).expandtabs(999) }}", "{{ 2 ** 64 }}", "{{ 9 ** 9 ** 9 ** 9 }}",
    "{{ '{:{:{}}}'.format(1, 2, 3) }}", "{{ [1]|slice(999999)|list|slice(999999)|list }}",
    "{{ strftime_now('%A' * 9999) }}", "{{ strftime_now('%999999999d') + x.y }}",
    "{{ 'a'.join(['b' * 9999999] * 9) }}", "{{ ('a' * 999999).replace('', 'b' * 99) }}",
    "{{ 'x'|indent(999999999) }}",
    "{{ 'a'.replace('a', 'b' * 1000000).replace('b', 'c' * 1000000) }}",
    "{{ 9223372036854775807 + 1 }}", "{{ (-9223372036854775807 - 1) // -1 }}", "{{ 1 % 0 }}",
    "{{ [1, 2][::0] }}", "{{ 'abc'|indent(99999999) }}", "{{ 1|tojson(indent=99999999) }}",
    "{{ {}.x.y }}", "{{ [1].x() }}", "{{ none() }}",
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
