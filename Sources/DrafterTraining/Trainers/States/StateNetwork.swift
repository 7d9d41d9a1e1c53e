/// A drafter that starts from the target's states at a token, as trainers see it: what drafting
/// some steps onward from every row of some documents gives.
protocol StateNetwork {
  /// The name of the drafter's registry entry.
  var method: String { get }
  /// Fixed order.
  var parameters: [Parameter] { get }
  /// The target's states that a draft starts from.
  var inputs: [StateKind] { get }
  /// What the columns of each are multiplied by before it comes in. A model's states have a few
  /// columns that are a hundred times as large as others; networks learn on numbers of size 1, so
  /// that one learning rate suits all weights. (inputs, hidden)
  var inputScales: [[Float]] { get }
  /// What embeddings are multiplied by before they come in.
  var embeddingScale: Float { get }
  /// What the columns of the output matrix are multiplied by, being applied to the network's
  /// outputs. (hidden)
  var headScales: [Float] { get }
  /// The most steps that it can draft.
  var mostSteps: Int { get }

  /// Sets the weights to what is easily found from the data, for descent to start there.
  func prepare(_ setup: StateTraining) throws
  /// For each step what the output matrix is applied to. (rows, hidden) each
  ///
  /// Step j of row r has read the tokens r+1 … r+1+j of the document and predicts the one after
  /// them; heads that do not look at tokens predict it too.
  func outputs(_ start: DraftStart, steps: Int, in graph: Graph) -> [Variable]
  /// The drafter in its public layout, for states and embeddings as the target has them.
  func export(_ setup: StateTraining) throws -> DrafterExport
}

extension StateNetwork {
  func prepare(_ setup: StateTraining) throws {}
}

/// Where drafts of a batch start.
struct DraftStart {
  let batch: StateBatch
  /// The network's input states, scaled. (rows, hidden) each
  let inputs: [Tensor]
  /// The target's final states, divided by the network's head scales. (rows, hidden)
  let final: Tensor
  /// Scaled. (rows, hidden)
  private let embeddings: Tensor

  init(
    _ batch: StateBatch, for network: any StateNetwork, target: TrainingTarget, noise: Float,
    _ random: inout SeededRandom
  ) throws {
    self.batch = batch
    final = batch.states(.final)
    final.scaleColumns(by: network.headScales.map { 1 / $0 })
    inputs = zip(network.inputs, network.inputScales).map { kind, scales in
      let states = batch.states(kind)
      states.scaleColumns(by: scales)
      if noise > 0 { states.addNoise(noise, &random) }
      return states
    }
    embeddings = try target.embeddings(of: batch.tokens, scale: network.embeddingScale)
  }

  /// For each row the embedding of the token that stands `distance` further on; its own where the
  /// document has ended. (rows, hidden)
  func embeddings(ahead distance: Int) -> Tensor {
    embeddings.gathered(batch.shifted(by: distance).enumerated().map { $1 ?? $0 })
  }
}
