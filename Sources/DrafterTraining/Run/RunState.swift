/// How far a run is: what a checkpoint holds besides the tensors.
struct RunState: Codable {
  /// Updates that are done.
  var step = 0
  /// Tokens that were trained on.
  var tokens = 0
  /// Time that training took, without what was lost when it was interrupted.
  var seconds = 0.0
  /// Bytes of the loss table up to here.
  var tableBytes = 0
  /// The validation before the first step.
  var firstFigures: [TrainingFigure]?
  /// The last validation.
  var lastFigures: [TrainingFigure] = []
  /// The best validation so far, and the step after which it was.
  var best: Best?
  var method: String
  var options: [String: String]
  var configuration: RunConfiguration
  var provenance: Provenance

  struct Best: Codable {
    var step: Int
    var value: Double
  }

  /// Compares how a run was begun with how it is to go on. It may go on to more steps, and be
  /// validated otherwise then.
  /// - Throws: `TrainingError.otherRun`, which names the field.
  func checkResumable(with new: RunState, folder: String) throws {
    func demand<Value: Equatable>(_ field: String, _ old: Value, _ new: Value) throws {
      guard old != new else { return }
      throw TrainingError.otherRun(
        folder: folder, field: field, begunWith: "\(old)", found: "\(new)")
    }
    func demandAll(
      _ field: (String) -> String, _ old: [String: String], _ new: [String: String]
    ) throws {
      for key in Set(old.keys).union(new.keys).sorted() {
        try demand(field(key), old[key] ?? "nothing", new[key] ?? "nothing")
      }
    }
    try demand("method", method, new.method)
    let (old, wanted) = (configuration, new.configuration)
    if wanted.steps < old.steps {
      throw TrainingError.otherRun(
        folder: folder, field: RunConfiguration.CodingKeys.steps.stringValue,
        begunWith: "\(old.steps)", found: "\(wanted.steps), which is fewer")
    }
    let isLonger = wanted.steps > old.steps
    try demandAll({ $0 }, old.fields(ofLonger: isLonger), wanted.fields(ofLonger: isLonger))
    try demandAll({ $0 }, options, new.options)
    let (target, newTarget) = (provenance.target, new.provenance.target)
    try demand("target", target?.name ?? "none", newTarget?.name ?? "none")
    try demand("target sha256", target?.sha256 ?? "none", newTarget?.sha256 ?? "none")
    try demand(
      "target vocabulary", target?.vocabularyFingerprint ?? "none",
      newTarget?.vocabularyFingerprint ?? "none")
    try demandAll(
      { "seed '\($0)'" }, provenance.seeds.mapValues { "\($0)" },
      new.provenance.seeds.mapValues { "\($0)" })
    try demand("number of data files", provenance.data.count, new.provenance.data.count)
    for (old, new) in zip(provenance.data, new.provenance.data) {
      try demand("sha256 of data file '\(new.name)'", old.sha256, new.sha256)
    }
  }
}

extension RunConfiguration {
  /// What a run must be resumed with, as text. Checkpoints may come at other times.
  /// - Parameter isLonger: whether it is taken further than it was to go.
  fileprivate func fields(ofLonger isLonger: Bool) -> [String: String] {
    let free: [CodingKeys] =
      [.checkpointMinutes] + (isLonger ? [.steps, .validateEvery, .patience] : [])
    var fields: [String: String] = [:]
    for (label, value) in Mirror(reflecting: self).children {
      if let label, !free.map(\.stringValue).contains(label) { fields[label] = "\(value)" }
    }
    return fields
  }
}
