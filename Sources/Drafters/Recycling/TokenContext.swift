/// The last few tokens before a place, the nearest first.
struct TokenContext: Equatable {
  /// The most tokens of a context.
  static let maximumOrder = 4

  /// -1 where the sequence has no token.
  private(set) var tokens = SIMD4<Int32>(repeating: -1)

  init(_ sequence: some BidirectionalCollection<Int32>) {
    for token in sequence.suffix(Self.maximumOrder) { append(token) }
  }

  mutating func append(_ token: Int32) {
    tokens = SIMD4(token, tokens[0], tokens[1], tokens[2])
  }

  func appending(_ token: Int32) -> TokenContext {
    var longer = self
    longer.append(token)
    return longer
  }

  /// How many tokens there are.
  var count: Int { (0..<Self.maximumOrder).first { tokens[$0] < 0 } ?? Self.maximumOrder }

  /// A hash of the last `order` tokens, another for each order.
  func hash(order: Int) -> UInt64 {
    // Large, since 0 would stay 0: a token equal to a small seed would vanish.
    var hash = UInt64(order) &* 0xD6E8_FEB8_6659_FD93
    for place in 0..<order {
      hash = (hash ^ UInt64(UInt32(bitPattern: tokens[place]))) &* 0x9E37_79B9_7F4A_7C15
      hash ^= hash >> 29
    }
    return hash
  }
}
