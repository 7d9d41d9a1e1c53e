import Foundation
import LanguageModels

/// How drafters that start from states are trained.
public struct StateLosses: Sendable, Equatable, Codable {
  /// Steps that are drafted from every row.
  public var steps: Int
  /// Step i weighs the i-th power of this.
  public var stepDecay: Double
  /// The input states get uniform noise of up to this, states having size 1.
  public var noise: Double
  /// Weight of the distance between predicted and true states.
  public var featureWeight: Double
  /// Weight of the divergence of the drafter's distribution from the target's.
  public var tokenWeight: Double
  /// What a token counts that the target did not write, one that it did counting 1.
  public var promptWeight: Double
}

/// Trains drafters that start from the target's states, on captured states: EAGLE's and heads.
///
/// From every row of a document it drafts some steps onward as the drafter will when it decodes:
/// the first step starts from the target's state, later ones from what the drafter itself made of
/// it. The tokens on the way are those of the document; what each step is to say is the target's
/// whole distribution there.
public final class StateTrainer: Trainer {
  public var method: String { network.method }
  public var parameters: [Parameter] { network.parameters }
  public let options: [String: String]

  let network: any StateNetwork
  let losses: StateLosses
  let setup: StateTraining
  /// The output matrix's rows, their columns scaled. (cut, hidden)
  let head: Tensor

  private let preparation: () throws -> Void

  /// - Parameters:
  ///   - options: what decides the course of the run beside its configuration.
  ///   - prepare: sets the weights to begin with; the network's own way if nil.
  init(
    _ network: any StateNetwork, losses: StateLosses, setup: StateTraining,
    options: [String: String], prepare: (() throws -> Void)? = nil
  ) throws {
    self.network = network
    preparation = prepare ?? { try network.prepare(setup) }
    self.losses = losses
    self.setup = setup
    self.options = options.merging(setup.options) { own, _ in own }
    head = try setup.target.head(setup.cut)
    head.scaleColumns(by: network.headScales)
  }

  public func prepare() throws { try preparation() }

  public func loss(of microBatch: Int, in graph: Graph) throws -> StepLoss {
    var random = SeededRandom(seed: setup.seed, stream: UInt64(microBatch))
    let start = try DraftStart(
      setup.batch(microBatch), for: network, target: setup.target, noise: Float(losses.noise),
      &random)
    let steps = steps(
      start, count: losses.steps, promptWeight: losses.promptWeight, in: graph
    ).map { proposable($0, in: start.batch) }
    let teacher = Teacher(of: Set(steps.flatMap(\.targets)), start.final, head, graph)
    let head = graph.constant(head)

    var parts: [(Variable, Float)] = []
    var terms: [TrainingFigure] = []
    for (index, step) in steps.enumerated() {
      let decay = Float(pow(losses.stepDecay, Double(index)))
      let output = graph.rows(step.output, step.rows)
      let loss = graph.headLoss(
        output, head: head, teacher: teacher.rows(step.targets), weights: step.weights)
      parts.append((loss.loss, decay * Float(losses.tokenWeight)))
      terms.append(TrainingFigure(name: "divergence \(index + 1)", value: loss.divergence))
      terms.append(TrainingFigure(name: "agreement \(index + 1)", value: loss.agreement))
      if losses.featureWeight > 0 {
        let distance = graph.smoothL1(
          output, start.final.gathered(step.targets), weights: step.weights)
        parts.append((distance, decay * Float(losses.featureWeight)))
        terms.append(TrainingFigure(name: "distance \(index + 1)", value: distance.scalar))
      }
    }
    return StepLoss(
      total: graph.sum(parts), terms: terms, tokens: steps.first?.rows.count ?? 0)
  }

  public func export(to folder: String, provenance: Provenance) throws {
    try network.export(setup).write(to: folder, target: setup.target, provenance: provenance)
  }
}
