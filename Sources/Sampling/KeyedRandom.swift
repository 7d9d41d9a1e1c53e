/// Who uses a random number. Each has its own stream, so that none can depend on another.
public enum RandomStream: UInt32, Sendable {
  /// The target's own token at a position.
  case target
  /// The drafter's proposals at a position.
  case drafter
  /// Whether proposals at a position are accepted.
  case acceptance
}

/// The random choices that sampling and verification make.
///
/// Every choice names its position, so that it does not matter in which order, or how often,
/// choices are made. Tests put an enumerator in its place to compute exact laws.
public protocol Chance {
  /// A token drawn from a distribution.
  func token(
    from distribution: Distribution, position: Int, stream: RandomStream, draw: Int
  ) -> Int32
  /// Whether a uniform number of the acceptance stream lies (strictly) below `probability`: a
  /// probability of 0 is never accepted, one of 1 or more always.
  func accepts(_ probability: Double, position: Int, draw: Int) -> Bool
  /// The race of tokens by which `token(from:position:stream:draw:)` draws; nil where it draws in
  /// another way.
  func race(position: Int, stream: RandomStream, draw: Int) -> ExponentialRace?
}

extension Chance {
  public func race(position: Int, stream: RandomStream, draw: Int) -> ExponentialRace? { nil }
}

/// The same random choices, but for the drafters' stream, which is one of many: several drafters of
/// one sequence must not draw with the same numbers, or their proposals depend on each other.
public struct DrafterChance: Chance {
  private let base: any Chance
  private let number: Int

  /// - Parameter number: the drafter's, from 0 to 126; number 0 draws as `base` does.
  public init(_ base: any Chance, number: Int) {
    self.base = base
    self.number = number
  }

  public func token(
    from distribution: Distribution, position: Int, stream: RandomStream, draw: Int
  ) -> Int32 {
    base.token(
      from: distribution, position: position, stream: stream, draw: own(draw, stream))
  }

  public func race(position: Int, stream: RandomStream, draw: Int) -> ExponentialRace? {
    base.race(position: position, stream: stream, draw: own(draw, stream))
  }

  private func own(_ draw: Int, _ stream: RandomStream) -> Int {
    stream == .drafter ? draw ^ number << 25 : draw
  }

  public func accepts(_ probability: Double, position: Int, draw: Int) -> Bool {
    base.accepts(probability, position: position, draw: draw)
  }
}

/// Random numbers keyed by (seed, position, stream, draw): Philox4x32-10, a counter-based
/// generator without state (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
public struct KeyedRandom: Chance, Sendable, Equatable {
  public let seed: UInt64

  public init(seed: UInt64) {
    self.seed = seed
  }

  /// 64 random bits.
  /// - Parameters:
  ///   - position: index in the sequence of the token that they decide.
  ///   - draw: distinguishes several choices of one stream at one position.
  private func bits(position: Int, stream: RandomStream, draw: Int) -> UInt64 {
    let place = UInt64(bitPattern: Int64(position))
    let block = Self.philox(
      counter: SIMD4(
        UInt32(truncatingIfNeeded: place), UInt32(truncatingIfNeeded: place >> 32),
        stream.rawValue, UInt32(truncatingIfNeeded: draw)),
      key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
    return UInt64(block[0]) << 32 | UInt64(block[1])
  }

  /// A number in [0, 1) with 53 random bits.
  public func uniform(position: Int, stream: RandomStream, draw: Int = 0) -> Double {
    Double(bits(position: position, stream: stream, draw: draw) >> 11) * 0x1p-53
  }

  public func race(position: Int, stream: RandomStream, draw: Int) -> ExponentialRace? {
    ExponentialRace(key: bits(position: position, stream: stream, draw: draw))
  }

  public func token(
    from distribution: Distribution, position: Int, stream: RandomStream, draw: Int
  ) -> Int32 {
    ExponentialRace(key: bits(position: position, stream: stream, draw: draw))
      .winner(of: distribution)
  }

  public func accepts(_ probability: Double, position: Int, draw: Int) -> Bool {
    uniform(position: position, stream: .acceptance, draw: draw) < probability
  }

  /// One block of Philox4x32-10.
  static func philox(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var counter = counter
    var key = key
    for _ in 0..<10 {
      let first = (0xD251_1F53 as UInt32).multipliedFullWidth(by: counter[0])
      let second = (0xCD9E_8D57 as UInt32).multipliedFullWidth(by: counter[2])
      counter = SIMD4(
        second.high ^ counter[1] ^ key[0], second.low, first.high ^ counter[3] ^ key[1], first.low)
      key &+= SIMD2(0x9E37_79B9, 0xBB67_AE85)
    }
    return counter
  }
}
