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
    "an error names the line and the field",
    arguments: [
      ("{\"prompt\": 1}", "prompt"), ("{\"prompt\": \" \"}", "prompt"), ("{}", "prompt"),
      ("{\"turns\": []}", "turns"), ("{\"turns\": [\"a\", 2]}", "turns[1]"),
      ("{\"conversations\": [{\"from\": \"gpt\", \"value\": \"x\"}]}", "conversations"),
      ("plain", "line"),
    ])
  func faults(text: String, field: String) async throws {
    try await withFolder { folder in
      try write("{\"prompt\": \"good\"}\n\(text)\n", to: "\(folder)/p.jsonl")
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
