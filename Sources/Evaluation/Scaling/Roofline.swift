/// A machine, by its peaks.
public struct Accelerator: Codable, Sendable, Equatable {
  public var name: String
  /// Tera-operations a second; a multiply-accumulate is two.
  public var arithmetic: Double
  /// GB/s, and GB.
  public var bandwidth: Double
  public var memory: Double
  /// Where the numbers are from.
  public var source: String
}

/// The size of a transformer.
public struct ModelSize: Codable, Sendable, Equatable {
  public var name: String
  /// Billions.
  public var parameters: Double
  public var layers: Int
  public var hidden: Int
  public var kvHeads: Int
  public var headSize: Int

  private enum CodingKeys: String, CodingKey {
    case name, parameters, layers, hidden
    case kvHeads = "kv_heads"
    case headSize = "head_size"
  }
}

/// The time of a transformer's pass by what it must move and compute (Williams, Waterman and
/// Patterson, "Roofline", 2009).
public struct Roofline: Sendable, Equatable {
  public var accelerator: Accelerator
  public var bytesPerWeight: Double
  /// Tokens in the cache of each sequence.
  public var context: Int
  /// What kernels reach of the peaks.
  public var bandwidthShare: Double
  public var computeShare: Double
  /// Seconds that a layer takes beside its arithmetic.
  public var overheadPerLayer: Double

  /// GB of keys and values of one sequence, 16-bit.
  public func cache(_ model: ModelSize) -> Double {
    Double(context) * Double(2 * 2 * model.layers * model.kvHeads * model.headSize) / 1e9
  }

  /// GB of weights.
  public func weights(_ model: ModelSize) -> Double { model.parameters * bytesPerWeight }

  /// Seconds of a pass.
  /// - Parameters:
  ///   - rows: of each sequence.
  ///   - batch: sequences.
  public func seconds(_ model: ModelSize, rows: Int, batch: Int = 1) -> Double {
    let bytes = weights(model) + Double(batch) * cache(model)
    let count = Double(rows * batch)
    let products = 2 * model.parameters * 1e9 * count
    let attention = 4 * Double(model.layers * model.hidden * context) * count
    return max(
      bytes / (accelerator.bandwidth * bandwidthShare),
      (products + attention) / (accelerator.arithmetic * 1e12 * computeShare))
      + Double(model.layers) * overheadPerLayer
  }

  /// τ of a chain of γ tokens, each accepted with probability α after those before it
  /// (Leviathan and others, 2211.17192).
  public static func acceptanceLength(_ acceptance: Double, length: Int) -> Double {
    (0...length).reduce(0) { sum, power in
      sum + (0..<power).reduce(1.0) { product, _ in product * acceptance }
    }
  }

  /// Plain time by speculative time.
  /// - Parameters:
  ///   - passes: of the draft model, one after another.
  ///   - rows: that the target verifies, the pending token included.
  public func speedup(
    target: ModelSize, draft: ModelSize?, passes: Int, rows: Int, acceptanceLength: Double,
    batch: Int = 1
  ) -> Double {
    let drafting = draft.map { Double(passes) * seconds($0, rows: 1, batch: batch) } ?? 0
    return acceptanceLength * seconds(target, rows: 1, batch: batch)
      / (drafting + seconds(target, rows: rows, batch: batch))
  }

  /// The draft length, 0 to 32, with the highest speedup.
  public func best(
    target: ModelSize, draft: ModelSize, acceptance: Double, batch: Int = 1
  ) -> (length: Int, speedup: Double) {
    (0...32).map { length in
      (
        length,
        speedup(
          target: target, draft: draft, passes: length, rows: length + 1,
          acceptanceLength: Self.acceptanceLength(acceptance, length: length), batch: batch)
      )
    }.max { $0.1 < $1.1 } ?? (0, 1)
  }

  /// GB of the weights of both models and of the caches of so many sequences.
  public func memory(target: ModelSize, draft: ModelSize, batch: Int = 1) -> Double {
    weights(target) + weights(draft) + Double(batch) * (cache(target) + cache(draft))
  }

  /// How many sequences the accelerator's memory holds beside the weights of both models; 0 where
  /// it does not hold one.
  public func largestBatch(target: ModelSize, draft: ModelSize) -> Int {
    let room = accelerator.memory - memory(target: target, draft: draft, batch: 0)
    let sequence = cache(target) + cache(draft)
    guard room >= sequence else { return 0 }
    return sequence > 0 ? Int(min(room / sequence, 1e9)) : 1_000_000_000
  }

  /// Batches that fit: powers of two up to the largest one.
  public func batches(target: ModelSize, draft: ModelSize) -> [Int] {
    let largest = largestBatch(target: target, draft: draft)
    return (0..<30).map { 1 << $0 }.filter { $0 <= largest }
  }

  /// The smallest batch, a power of two, at which no draft length brings 2 % any more; nil where
  /// memory holds none such.
  public func crossover(target: ModelSize, draft: ModelSize, acceptance: Double) -> Int? {
    batches(target: target, draft: draft).first {
      best(target: target, draft: draft, acceptance: acceptance, batch: $0).speedup < 1.02
    }
  }
}
