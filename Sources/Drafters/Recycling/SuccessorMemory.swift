import Foundation

/// What the target said may follow contexts of one to a few tokens: for each context its most
/// probable successors with their probabilities, as last seen.
///
/// A hash table of fixed size in sets of four places; a new context takes the place that was
/// written longest ago. Pages of it are touched as they are needed.
public final class SuccessorMemory {
  /// The longest context.
  public let order: Int
  /// Successors kept for each context.
  public let width: Int
  private let sets: Int
  private static let ways = 4

  /// What tells contexts of one set apart; 0 = free. (sets, ways)
  private let tags: UnsafeMutablePointer<UInt32>
  /// When each was last written. (sets, ways)
  private let stamps: UnsafeMutablePointer<UInt32>
  /// (sets, ways, width)
  private let tokens: UnsafeMutablePointer<Int32>
  /// Descending; 0 behind the last successor. (sets, ways, width)
  private let probabilities: UnsafeMutablePointer<Float>
  private var clock: UInt32 = 0

  /// - Parameters:
  ///   - order: the longest context, 1 to 4 tokens.
  ///   - capacity: the most contexts, rounded up to a power of two. One takes 8 + 8·width bytes.
  public init(order: Int, width: Int, capacity: Int) {
    self.order = min(max(order, 1), TokenContext.maximumOrder)
    self.width = max(width, 1)
    var sets = 1
    while sets * Self.ways < capacity { sets *= 2 }
    self.sets = sets
    let places = sets * Self.ways
    tags = Self.zeros(places)
    stamps = Self.zeros(places)
    tokens = Self.zeros(places * self.width)
    probabilities = Self.zeros(places * self.width)
  }

  deinit {
    free(tags)
    free(stamps)
    free(tokens)
    free(probabilities)
  }

  /// Zeros that take no memory until they are touched.
  private static func zeros<Number>(_ count: Int) -> UnsafeMutablePointer<Number> {
    guard let memory = calloc(count, MemoryLayout<Number>.stride) else {
      preconditionFailure("no memory for \(count) numbers")
    }
    return memory.bindMemory(to: Number.self, capacity: count)
  }

  /// Learns what the target said after a context, for all its lengths.
  /// - Parameters:
  ///   - tokens: the most probable successors, best first, at most `width`.
  ///   - probabilities: theirs.
  func learn(
    _ tokens: UnsafeBufferPointer<Int32>, _ probabilities: UnsafeBufferPointer<Float>,
    after context: TokenContext
  ) {
    let count = min(width, tokens.count)
    clock &+= 1
    for order in 1...max(1, min(order, context.count)) where context.tokens[order - 1] >= 0 {
      let start = claim(context.hash(order: order)) * width
      for rank in 0..<width {
        self.tokens[start + rank] = rank < count ? tokens[rank] : 0
        self.probabilities[start + rank] = rank < count ? probabilities[rank] : 0
      }
    }
  }

  /// Learns that a token followed a context in a text, where the target was not asked: the token
  /// takes a share of the probability from what was known.
  func learn(_ token: Int32, after context: TokenContext) {
    let share: Float = 0.5
    clock &+= 1
    for order in 1...max(1, min(order, context.count)) where context.tokens[order - 1] >= 0 {
      let start = claim(context.hash(order: order)) * width
      var place = 0
      while place < width - 1 && probabilities[start + place] > 0
        && tokens[start + place] != token
      {
        place += 1
      }
      let known = tokens[start + place] == token ? probabilities[start + place] : 0
      for rank in 0..<width { probabilities[start + rank] *= 1 - share }
      let probability = known * (1 - share) + share
      while place > 0 && probabilities[start + place - 1] < probability {
        tokens[start + place] = tokens[start + place - 1]
        probabilities[start + place] = probabilities[start + place - 1]
        place -= 1
      }
      tokens[start + place] = token
      probabilities[start + place] = probability
    }
  }

  /// The successors known after the last `order` tokens of a context, best first; their number is
  /// returned. Valid until something is learned.
  func successors(
    of context: TokenContext, order: Int
  ) -> (tokens: UnsafePointer<Int32>, probabilities: UnsafePointer<Float>, count: Int)? {
    guard order <= self.order, context.tokens[order - 1] >= 0,
      let place = find(context.hash(order: order))
    else { return nil }
    let start = place * width
    var count = 0
    while count < width && probabilities[start + count] > 0 { count += 1 }
    return (UnsafePointer(tokens + start), UnsafePointer(probabilities + start), count)
  }

  private func tag(_ hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash) | 1 }
  private func firstPlace(_ hash: UInt64) -> Int { (Int(hash >> 32) & (sets - 1)) * Self.ways }

  private func find(_ hash: UInt64) -> Int? {
    let tag = tag(hash)
    let first = firstPlace(hash)
    for place in first..<(first + Self.ways) where tags[place] == tag { return place }
    return nil
  }

  /// The place of a context, a new one if need be.
  private func claim(_ hash: UInt64) -> Int {
    if let place = find(hash) {
      stamps[place] = clock
      return place
    }
    let first = firstPlace(hash)
    var oldest = first
    for place in first..<(first + Self.ways) where stamps[place] < stamps[oldest] {
      oldest = place
    }
    tags[oldest] = tag(hash)
    stamps[oldest] = clock
    for rank in 0..<width { probabilities[oldest * width + rank] = 0 }
    return oldest
  }
}

extension SuccessorMemory: SuccessorSource {
  /// How far contexts of one, two, … tokens are trusted against shorter ones.
  private static let trust: [Float] = [0.4, 0.65, 0.8, 0.85]

  /// Contexts of all lengths, interpolated.
  func collect(after context: TokenContext, into successors: inout [Successor]) {
    let start = successors.count
    var share: Float = 1
    for order in stride(from: order, through: 1, by: -1) {
      guard let known = self.successors(of: context, order: order) else { continue }
      let weight = share * Self.trust[order - 1]
      share -= weight
      for rank in 0..<known.count {
        successors.add(known.tokens[rank], weight * known.probabilities[rank], from: start)
      }
    }
  }
}

extension [Successor] {
  /// Adds probability to a token among those from a place on, or the token.
  mutating func add(_ token: Int32, _ score: Float, from start: Int) {
    for place in start..<count where self[place].token == token {
      self[place].score += score
      return
    }
    append(Successor(token: token, score: score))
  }
}
