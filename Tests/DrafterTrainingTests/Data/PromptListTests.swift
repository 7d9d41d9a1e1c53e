import Foundation
import Testing

@testable import DrafterTraining

@Suite struct PromptListTests {
  @Test("prompts of all forms are read, each once, and what is held out stays out")
  func forms() async throws {
    try await withFolder { folder in
      let (json, text) = ("\(folder)/p.jsonl", "\(folder)/q.txt")
      try write(
        """
        {"prompt": "One", "language": "en", "category": "qa", "split": "train"}
        {"text": "Two", "id": "two", "system": "Be kind."}
        {"question_id": 81, "category": "writing", "turns": ["Three", "Four"]}
        {"conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "Five"}, \
        {"from": "gpt", "value": "no"}, {"from": "human", "value": "Six"}], "id": 81}
        {"prompt": "Held out", "split": "test"}
        {"prompt": "One"}
        """, to: json)
      try write("\u{FEFF}Plain text\n\n  One  \nAnother\n", to: text)
      let list = try PromptList(paths: [json, text])
      #expect(
        list.prompts == [
          Prompt(id: "p:1", turns: ["One"], language: "en", category: "qa"),
          Prompt(id: "two", system: "Be kind.", turns: ["Two"]),
          Prompt(id: "81", turns: ["Three", "Four"], category: "writing"),
          Prompt(id: "p:81", system: "S", turns: ["Five", "Six"]),
          Prompt(id: "q:1", turns: ["Plain text"]),
          Prompt(id: "q:4", turns: ["Another"]),
        ])
      #expect(list.repeated == 2)
      #expect(list.otherSplit == 1)
      #expect(
        try PromptList(paths: [json], split: "test").prompts.map(\.turns).contains(["Held out"]))
    }
  }

  @Test(
    "a published file is one JSON array, in a line or over many, or objects over many lines",
    arguments: [
      #"[{"id":"a","prompt":"One"},{"prompt":"Two"},{"prompt":3},{"prompt":"Four"}]"#,
      """
      \u{FEFF}
      [
        {"id": "a",
         "prompt": "One"}
        , {"prompt": "Two"}, {"prompt": 3},
        {
          "prompt": "Four"
        }
      ]

      """,
      """
      {
        "id": "a", "prompt": "One"
      }
      {
        "prompt": "Two"
      }
      { "prompt": 3 }
      {
        "prompt": "Four"
      }
      """,
    ], ["p.json", "p.jsonl", "p.txt"])
  func arrays(text: String, name: String) async throws {
    try await withFolder { folder in
      try write(text, to: "\(folder)/\(name)")
      let list = try PromptList(paths: ["\(folder)/\(name)"])
      #expect(
        list.prompts == [
          Prompt(id: "a", turns: ["One"]), Prompt(id: "p:2", turns: ["Two"]),
          Prompt(id: "p:4", turns: ["Four"]),
        ])
      #expect(list.leftOut.map(\.id) == ["p:3"])
      #expect(list.leftOut[0].reason.contains("prompt: expected String"), "\(list.leftOut)")
    }
  }

  @Test("a text whose first prompt begins with a bracket is text")
  func bracket() async throws {
    try await withFolder { folder in
      try write("[Chorus] Write one.\n[ {x} ]\n", to: "\(folder)/p.txt")
      let list = try PromptList(paths: ["\(folder)/p.txt"])
      #expect(list.prompts.map(\.turns) == [["[Chorus] Write one."], ["[ {x} ]"]])
    }
  }

  @Test(
    "what is wrong with an array costs its entry",
    arguments: [
      (#"[{"prompt":"a"},{"prompt":}, {"prompt":"b"}]"#, ["a", "b"], "line 1: [1]: expected"),
      (#"[{"prompt":"a"},"#, ["a"], "line 1: [1]: expected an entry, then \"]\""),
      (#"[{"prompt":"a"},{"prom"#, ["a"], "line 1: [1]: expected an entry, then \"]\""),
      (#"[{"prompt":"a"}] {"prompt":"b"}"#, ["a"], "line 1: [1]: expected the end of the file"),
      ("[\n{\"prompt\":\"]} \\\" [\"},\n[{}],{}]", ["]} \" ["], "line 3: [1]: expected"),
    ])
  func brokenArrays(text: String, prompts: [String], reason: String) async throws {
    try await withFolder { folder in
      try write(text, to: "\(folder)/p.json")
      let list = try PromptList(paths: ["\(folder)/p.json"])
      #expect(list.prompts.flatMap(\.turns) == prompts)
      #expect(list.leftOut.first?.reason.contains("p.json, " + reason) == true, "\(list.leftOut)")
    }
  }

  @Test(
    "a bad line is left out with the line and the field, and nothing but bad ones is an error",
    arguments: [
      ("{\"prompt\": 1}", "prompt"), ("{\"prompt\": \" \"}", "prompt"), ("{}", "prompt"),
      ("{\"turns\": []}", "turns"), ("{\"turns\": [\"a\", 2]}", "turns[1]"),
      ("{\"conversations\": [{\"from\": \"gpt\", \"value\": \"x\"}]}", "conversations"),
      ("plain", "line"),
    ])
  func faults(text: String, field: String) async throws {
    try await withFolder { folder in
      try write("{\"prompt\": \"good\"}\n\(text)\n", to: "\(folder)/p.jsonl")
      let list = try PromptList(paths: ["\(folder)/p.jsonl"])
      #expect(list.prompts.map(\.turns) == [["good"]])
      #expect(list.leftOut.map(\.id) == ["p:2"])
      #expect(list.leftOut[0].reason.contains("p.jsonl, line 2: \(field): "))

      try write("\n\(text)\n\(text)", to: "\(folder)/p.jsonl")
      let error = #expect(throws: TrainingError.self) {
        try PromptList(paths: ["\(folder)/p.jsonl"])
      }
      guard case .line(_, 2, let found, _, _)? = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(found == field)
    }
  }

  @Test("a job's seed depends on its prompt, not on the others, and one temperature may be drawn")
  func jobs() throws {
    var plan = SelfDistillation()
    plan.temperatures = [0, 0.5, 1]
    plan.seed = 4
    let prompts = (0..<40).map { Prompt(id: "\($0)", turns: ["a", "b", "c"]) }
    let all = plan.jobs(prompts)
    #expect(all.count == 120)
    #expect(Set(all.map(\.seed)).count == 120)
    #expect(all[0].prompt.turns == ["a", "b"])
    #expect(plan.jobs([prompts[7]]).map(\.seed) == all[21..<24].map(\.seed))
    plan.drawsTemperature = true
    let drawn = plan.jobs(prompts)
    #expect(drawn.count == 40)
    #expect(Set(drawn.map(\.temperature)) == [0, 0.5, 1])
    #expect(drawn.allSatisfy { job in all.contains { $0.id == job.id && $0.seed == job.seed } })
    plan.seed = 5
    #expect(plan.jobs(prompts).map(\.seed) != drawn.map(\.seed))
    plan.temperatures = [0, -1]
    #expect(throws: (any Error).self) { try plan.validate() }
  }
}
