import Foundation
import Nunchi
import NunchiDrafters

// The two models: the target, and the tiny language model that comes with Nunchi for it.
TrainedDrafterShelf.addShippedDrafters()
let target = try await Model.load("SmolLM2-135M")
guard let draft = try target.trainedDrafter(method: "tiny-lm") else {
  throw NunchiError.noTrainedDrafter(method: "tiny-lm", model: target.name, found: "none")
}

// The tree; its file names the alignment and the predictor beside it.
var tree = try AffineTreeConfiguration(path: "\(draft.folder)/affine-tree.yaml")
tree.tree.strategy = .topK
tree.tree.maxCandidates = 3
tree.tree.maxDepth = 3
tree.pruning.strategy = .threshold
tree.pruning.threshold = 0.2

var choice = DrafterChoice(named: "affine-tree")
choice.trainedFolders = [draft.folder]
choice.affineTree = tree

let messages = [ChatMessage(role: "user", content: "Name ten animals that live in the sea.")]
// A fixed length lets the threshold alone decide; without one the controller does, by what rows cost.
let options = GenerationOptions(drafter: choice, draftLength: 3, maxTokens: 96)
for try await event in target.generate(messages, options: options) {
  switch event {
  case .text(let text):
    FileHandle.standardOutput.write(Data(text.utf8))
  case .finished(let result):
    let statistics = result.statistics
    let proposals = result.traces.flatMap(\.proposals)
    let proposed = proposals.reduce(0) { $0 + $1.tokens.count }
    func milliseconds(_ part: String) -> Int {
      Int(1000 * proposals.reduce(0) { $0 + ($1.figures?["\(part) seconds"] ?? 0) })
    }
    print("\n\n\(statistics.tokens) tokens in \(statistics.rounds) rounds")
    print(
      "proposed \(proposed) nodes, verified \(statistics.drafted), accepted \(statistics.accepted)")
    print("aligning took \(milliseconds("align")) ms, predicting \(milliseconds("predict")) ms")
    print("of \(Int(1000 * statistics.generationSeconds)) ms in all")
  }
}
