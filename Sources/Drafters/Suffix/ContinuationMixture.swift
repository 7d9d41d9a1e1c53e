/// What followed the current context before, as one distribution over the next token.
///
/// Contexts of several lengths are mixed as in prediction by partial matching (Cleary and Witten,
/// 1984): the longest one weighs the more the longer it is and the fewer different tokens followed
/// it, and leaves the rest to the next shorter one. What no context claims is the probability that
/// something new follows.
struct ContinuationMixture {
  /// Contexts of one suffix chain that are mixed, longest first.
  static let contextsOfChain = 4
  /// Transitions out of one context that are looked at, newest first.
  static let transitionsOfContext = 24

  private struct Context {
    let length: Int
    let total: Double
    let followers: Range<Int>
  }

  private var contexts: [Context] = []
  private var followers: [(token: Int32, count: Double)] = []
  private(set) var tokens: [Int32] = []
  private(set) var probabilities: [Double] = []

  mutating func removeAll() {
    contexts.removeAll(keepingCapacity: true)
    followers.removeAll(keepingCapacity: true)
    tokens.removeAll(keepingCapacity: true)
    probabilities.removeAll(keepingCapacity: true)
  }

  /// Adds the contexts that `match` ends in: the longest, and those its suffix links lead to.
  mutating func add(_ match: SuffixMatch, in automaton: borrowing SuffixAutomaton) {
    var state = Int(match.state)
    var length = match.length
    for _ in 0..<Self.contextsOfChain where length > 0 {
      let start = followers.count
      var total = 0.0
      var next = automaton.states[state].edges
      while next >= 0 && followers.count - start < Self.transitionsOfContext {
        let edge = automaton.edges[Int(next)]
        let count = Double(automaton.states[Int(edge.target)].count)
        followers.append((edge.token, count))
        total += count
        next = edge.next
      }
      if next >= 0 { total = max(total, Double(automaton.states[state].count)) }
      if total > 0 {
        let context = Context(length: length, total: total, followers: start..<followers.count)
        // Two chains merge by length.
        let place = contexts.firstIndex { $0.length < length } ?? contexts.count
        contexts.insert(context, at: place)
      }
      state = Int(automaton.states[state].link)
      guard state > 0 else { break }
      length = Int(automaton.states[state].length)
    }
  }

  /// Turns the contexts into `tokens` and their `probabilities`.
  mutating func mix() {
    var rest = 1.0
    for context in contexts where rest > 0.01 {
      let weight =
        context.total
        / (context.total + Self.novelty(after: context.length) * Double(context.followers.count))
      let share = rest * weight / context.total
      for follower in followers[context.followers] {
        if let place = tokens.firstIndex(of: follower.token) {
          probabilities[place] += share * follower.count
        } else {
          tokens.append(follower.token)
          probabilities.append(share * follower.count)
        }
      }
      rest *= 1 - weight
    }
  }

  /// How many times more often than its different followers a context must have occurred to
  /// weigh one half. Fitted by likelihood to Swift sources, documentation and Spec-Bench prompts: of
  /// tokens with a score of 0.35, 0.38 came; of 0.75, 0.76; of 0.95, 0.93 (code).
  static func novelty(after length: Int) -> Double {
    switch length {
    case 1: 3.4
    case 2: 3
    case 3: 2.5
    case 4: 2.3
    case 5...6: 1.4
    case 7...10: 0.7
    case 11...16: 0.35
    case 17...32: 0.12
    default: 0.03
    }
  }
}
