import Synchronization

/// Which documents make up which batch: in every epoch all documents in another random order,
/// filled into batches of a bounded number of rows.
public final class DocumentOrder: Sendable {
  /// Rows of each document.
  private let lengths: [Int]
  /// For each (seed, rows) asked for, the batches of the epochs so far.
  private let plans = Mutex<[Key: Plan]>([:])

  private struct Key: Hashable {
    var seed: UInt64
    var rows: Int
  }

  private struct Plan {
    /// The index of each epoch's first batch, and of the one after the last.
    var starts = [0]
    /// The last epoch that was asked for.
    var epoch = -1
    var batches: [Range<Int>] = []
    var order: [Int] = []
  }

  /// - Parameter lengths: rows of each document.
  public init(lengths: [Int]) {
    self.lengths = lengths
  }

  /// The documents of a batch, none if there are no documents at all. A function of the arguments.
  /// - Parameters:
  ///   - index: of the batch, from 0, over as many epochs as it takes.
  ///   - rows: the most of all documents together; one that is longer is a batch of its own.
  public func documents(at index: Int, seed: UInt64, rows: Int) -> [Int] {
    guard !lengths.isEmpty, index >= 0 else { return [] }
    return plans.withLock { plans in
      var plan = plans[Key(seed: seed, rows: rows)] ?? Plan()
      defer { plans[Key(seed: seed, rows: rows)] = plan }
      while plan.starts[plan.starts.count - 1] <= index {
        fill(&plan, epoch: plan.starts.count - 1, seed, rows)
        plan.starts.append(plan.starts[plan.epoch] + plan.batches.count)
      }
      let epoch = (plan.starts.firstIndex { $0 > index } ?? 1) - 1
      if plan.epoch != epoch { fill(&plan, epoch: epoch, seed, rows) }
      return Array(plan.order[plan.batches[index - plan.starts[epoch]]])
    }
  }

  /// The documents of a batch when none is moved; nil after the last batch.
  public func documents(inOrder index: Int, rows: Int) -> [Int]? {
    let batches = filled(Array(lengths.indices), rows)
    return batches.indices.contains(index) ? Array(batches[index]) : nil
  }

  private func fill(_ plan: inout Plan, epoch: Int, _ seed: UInt64, _ rows: Int) {
    var random = SeededRandom(seed: seed)
    let key = random.next()
    random = SeededRandom(seed: key &+ UInt64(epoch))
    plan.order = lengths.indices.shuffled(using: &random)
    plan.batches = filled(plan.order, rows)
    plan.epoch = epoch
  }

  /// Ranges of an order that have at most so many rows, at least one document each.
  private func filled(_ order: [Int], _ rows: Int) -> [Range<Int>] {
    var batches: [Range<Int>] = []
    var (start, total) = (0, 0)
    for (place, document) in order.enumerated() {
      let length = min(lengths[document], rows)
      if total + length > rows, place > start {
        batches.append(start..<place)
        (start, total) = (place, 0)
      }
      total += length
    }
    return start < order.count ? batches + [start..<order.count] : batches
  }
}
