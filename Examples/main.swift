import Nunchi

let model = try await Model.load("SmolLM2-135M")
let messages = [ChatMessage(role: "user", content: "What is photosynthesis?")]
for try await event in model.generate(messages, options: .greedy) {
  switch event {
  case .text(let text): print(text, terminator: "")
  case .finished(let result):
    let figures = result.statistics
    print("\n\(figures.tokens) tokens in \(figures.rounds) passes, τ \(figures.acceptanceLength)")
  }
}
