import Foundation
import Nunchi

let model = try await Model.load("SmolLM2-135M")
let options = GenerationOptions(drafter: .promptLookup, maxTokens: 160)
let request = """
  Add a comment to this function, and write it out again:

  def area(width, height):
      if width < 0 or height < 0:
          raise ValueError("a side is negative")
      return width * height
  """

let messages = [ChatMessage(role: "user", content: request)]
for try await event in model.generate(messages, options: options) {
  switch event {
  case .text(let text):
    FileHandle.standardOutput.write(Data(text.utf8))
  case .finished(let result):
    let statistics = result.statistics
    print("\n\n\(statistics.tokens) tokens in \(statistics.rounds) rounds")
    print("accepted \(statistics.accepted) of \(statistics.drafted) drafted tokens")
    print("acceptance length \(statistics.acceptanceLength)")
    print("\(Int(statistics.tokensPerSecond)) tokens/s")
  }
}
