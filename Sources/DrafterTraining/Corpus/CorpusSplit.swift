/// Which part of the data a document is in.
public enum Split: String, Sendable, Codable, CaseIterable {
  case train
  case validation
  case heldout
}

/// Splits documents by a hash of their group, so that a document stays where it is whatever else
/// is added, and all languages of one page are in the same part.
public struct CorpusSplit: Sendable, Equatable {
  /// The share of the groups that is held out, and that validates.
  public var heldout: Double
  public var validation: Double
  public var seed: UInt64

  /// - Throws: `TrainingError.setting` unless both shares are 0 or more and leave a train part.
  public init(heldout: Double = 0.05, validation: Double = 0.05, seed: UInt64 = 1) throws {
    for (name, share) in [("heldout", heldout), ("validation", validation)]
    where !(0..<1).contains(share) {
      throw TrainingError.setting(name: name, expected: "a share from 0 to 1", found: "\(share)")
    }
    guard heldout + validation < 1 else {
      throw TrainingError.setting(
        name: "heldout and validation", expected: "less than 1 together",
        found: "\(heldout + validation)")
    }
    self.heldout = heldout
    self.validation = validation
    self.seed = seed
  }

  /// The part that a group belongs to.
  public func split(of group: String) -> Split {
    let share = Double(stableHash(["\(seed)", group]) >> 11) / Double(1 << 53)
    if share < heldout { return .heldout }
    return share < heldout + validation ? .validation : .train
  }
}
