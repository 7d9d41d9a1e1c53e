extension EagleTrainer {
  /// One step of drafting from every row of a batch.
  struct Step {
    /// What the output matrix is applied to. (batch rows, hidden)
    var output: Variable
    /// Rows whose step counts.
    var rows: [Int]
    /// For each of them the row with the state that the step predicts.
    var targets: [Int]
  }

  /// A batch with all that steps take from it.
  struct Prepared {
    var batch: StateBatch
    /// The network's input states, scaled.
    var inputs: [Tensor]
    /// The target's final states, scaled like the output. (rows, hidden)
    var final: Tensor
    /// (rows, hidden)
    var embeddings: Tensor
  }

  func prepare(_ batch: StateBatch, noise: Float = 0, _ random: inout SeededRandom) throws
    -> Prepared
  {
    let final = batch.states(.final)
    final.scaleColumns(by: network.headScales.map { 1 / $0 })
    let inputs = zip(network.inputs, network.inputScales).map { kind, scale in
      let states = batch.states(kind, scale: scale)
      if noise > 0 { states.addNoise(noise, &random) }
      return states
    }
    return Prepared(
      batch: batch, inputs: inputs, final: final,
      embeddings: try setup.target.embeddings(of: batch.tokens, scale: network.embeddingScale))
  }

  /// Drafts some steps onward from every row.
  ///
  /// Step j of row r reads token r+1+j and predicts the target's state there, hence the token
  /// after it. It counts where the target itself wrote token r+1+j.
  func unroll(_ prepared: Prepared, steps: Int, in graph: Graph) -> [Step] {
    let bound = network.bind(to: graph)
    let batch = prepared.batch
    let positions = batch.positions
    var state = bound.start(from: prepared.inputs)
    var memory = BoundBlock.Memory()
    return (0..<steps).map { step in
      let next = batch.shifted(by: 1 + step)
      let embeddings = prepared.embeddings.gathered(next.enumerated().map { $1 ?? $0 })
      let (following, output) = bound.step(
        state, embeddings: embeddings, positions: positions.map { $0 + Int32(step) },
        segments: batch.segments, memory: &memory)
      state = following
      let counted = next.indices.filter { next[$0].map { batch.answer[$0] == 1 } ?? false }
      return Step(output: output, rows: counted, targets: counted.compactMap { next[$0] })
    }
  }

  /// A step's rows without those that the document goes on from with a token outside the cut: the
  /// drafter cannot propose it, and there is nothing to learn.
  func proposable(_ step: Step, in batch: StateBatch) -> Step {
    guard !setup.cut.isWhole else { return step }
    let following = batch.shifted(by: 1)
    let kept = step.rows.indices.filter { index in
      guard let row = following[step.targets[index]] else { return true }
      return setup.cut.places[Int(batch.tokens[row])] >= 0
    }
    return Step(
      output: step.output, rows: kept.map { step.rows[$0] }, targets: kept.map { step.targets[$0] })
  }
}
