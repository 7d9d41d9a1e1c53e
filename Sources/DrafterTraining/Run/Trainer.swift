/// How one kind of drafter is trained: its parameters, its loss, its validation and its export.
/// `TrainingRun` does the rest.
public protocol Trainer: AnyObject {
  /// What the command calls it, such as `eagle`.
  var method: String { get }
  /// All parameters, in an order that is always the same.
  var parameters: [Parameter] { get }
  /// Everything else that decides the course of a run, by name: sizes, shares, layers. A run is
  /// not resumed with other values.
  var options: [String: String] { get }
  /// Bytes that a step takes besides the parameters, their gradients and the optimizer's moments.
  var workingBytes: Int { get }

  /// Sets the parameters to begin with. A run that is taken up again does not ask for it.
  func prepare() throws

  /// Builds the loss of a micro-batch. Which examples it has depends on the seed and its index
  /// only, so that a resumed run goes on bit for bit.
  func loss(of microBatch: Int, in graph: Graph) throws -> StepLoss

  /// Figures on held-out data with the weights as they are, always the same ones, such as `loss`
  /// and `acceptance length`.
  func validate() throws -> [TrainingFigure]

  /// Writes the drafter as it is now into a folder that exists and is empty, in the layout in
  /// which drafters are exchanged, with its provenance.
  func export(to folder: String, provenance: Provenance) throws
}

extension Trainer {
  public var options: [String: String] { [:] }
  public var workingBytes: Int { 0 }
  public func prepare() throws {}
}

/// A named number of a run.
public struct TrainingFigure: Codable, Sendable, Equatable {
  public var name: String
  public var value: Double

  public init(name: String, value: Double) {
    self.name = name
    self.value = value
  }
}

/// The loss of one micro-batch.
public struct StepLoss {
  /// What is minimised: a scalar.
  public var total: Variable
  /// What the loss is made of, for people: always the same names.
  public var terms: [TrainingFigure]
  /// Tokens that were trained on.
  public var tokens: Int

  public init(total: Variable, terms: [TrainingFigure] = [], tokens: Int) {
    self.total = total
    self.terms = terms
    self.tokens = tokens
  }
}
