import Foundation
import LanguageModels

/// Trains EAGLE-1 (2401.15077) and EAGLE-3 (2503.01840) drafters on captured states.
///
/// From every row of a document it drafts some steps onward as it will when it decodes: the first
/// step starts from the target's state, later ones from the drafter's own, and each sees the true
/// rows up to its start and what was drafted from there. The tokens on the way are those of the
/// document. For EAGLE-1 this is more than the paper does (one step), as in HASS (2408.15766).
public final class EagleTrainer: Trainer {
  public let method: String
  public var parameters: [Parameter] { network.parameters }

  let network: any EagleNetwork
  let configuration: EagleConfiguration
  let setup: StateTraining
  /// The output matrix's rows, their columns scaled. (cut, hidden)
  let head: Tensor

  init(
    method: String, network: any EagleNetwork, configuration: EagleConfiguration,
    setup: StateTraining
  ) throws {
    self.method = method
    self.network = network
    self.configuration = configuration
    self.setup = setup
    head = try setup.target.head(setup.cut)
    head.scaleColumns(by: network.headScales)
  }

  public func loss(of microBatch: Int, in graph: Graph) throws -> StepLoss {
    var random = SeededRandom(seed: setup.seed, stream: UInt64(microBatch))
    let prepared = try prepare(
      setup.batch(microBatch), noise: Float(configuration.noise), &random)
    let steps = unroll(prepared, steps: configuration.steps, in: graph).map {
      proposable($0, in: prepared.batch)
    }
    let teacher = Teacher(of: Set(steps.flatMap(\.targets)), prepared.final, head, graph)
    let head = graph.constant(head)

    var parts: [(Variable, Float)] = []
    var terms: [TrainingFigure] = []
    for (index, step) in steps.enumerated() {
      let decay = Float(pow(configuration.stepDecay, Double(index)))
      let output = graph.rows(step.output, step.rows)
      let weights = [Float](repeating: 1, count: step.rows.count)
      let loss = graph.headLoss(
        output, head: head, teacher: teacher.rows(step.targets), weights: weights)
      parts.append((loss.loss, decay * Float(configuration.tokenWeight)))
      terms.append(TrainingFigure(name: "divergence \(index + 1)", value: loss.divergence))
      terms.append(TrainingFigure(name: "agreement \(index + 1)", value: loss.agreement))
      if configuration.featureWeight > 0 {
        let distance = graph.smoothL1(
          output, prepared.final.gathered(step.targets), weights: weights)
        parts.append((distance, decay * Float(configuration.featureWeight)))
        terms.append(TrainingFigure(name: "distance \(index + 1)", value: distance.scalar))
      }
    }
    return StepLoss(
      total: graph.sum(parts), terms: terms, tokens: steps.first?.rows.count ?? 0)
  }
}

/// What the target thinks at the rows that steps predict.
///
/// Several steps predict the same rows, so its logits are computed once, unless they would take too
/// much memory.
struct Teacher {
  private let states: Tensor
  private let head: Tensor
  private let graph: Graph
  private let logits: Variable?
  /// The place in `logits` of each row.
  private let places: [Int: Int]

  private static let mostLogits = 1 << 25

  /// - Parameters:
  ///   - states: (batch rows, hidden)
  ///   - head: (tokens, hidden)
  init(of rows: Set<Int>, _ states: Tensor, _ head: Tensor, _ graph: Graph) {
    let rows = rows.sorted()
    self.states = states
    self.head = head
    self.graph = graph
    places = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1, $0) })
    logits =
      rows.count * head.rows <= Self.mostLogits
      ? graph.linear(graph.constant(states.gathered(rows)), graph.constant(head)) : nil
  }

  func rows(_ rows: [Int]) -> HeadTeacher {
    guard let logits else { return .hidden(states.gathered(rows), weight: head) }
    return .logits(graph.rows(logits, rows.compactMap { places[$0] }).value)
  }
}
