/// The suffix automaton of a growing token sequence: the smallest machine that reads exactly its
/// substrings (Blumer et al., 1985), in O(1) amortised time and memory a token.
///
/// A state stands for substrings that end at the same places; its suffix link leads to the longest
/// suffix that ends at more. So the link of the last state is the longest suffix of the sequence
/// that stood in it before, and the transitions out of it are what followed then. States count
/// their occurrences: those of a transition's target tell how often that token followed.
public struct SuffixAutomaton: Sendable {
  static let root: Int32 = 0
  /// An occurrence is counted for the longest contexts only. Plain text has some five of them;
  /// in "aaaa…" there are as many as tokens, and counting all would take quadratic time.
  static let countedContexts = 64

  struct State: Sendable {
    /// The length of the state's longest substring.
    var length: Int32
    var link: Int32
    /// How often its substrings occur.
    var count: Int32 = 0
    /// The newest of its transitions, or -1.
    var edges: Int32 = -1
  }

  struct Edge: Sendable {
    let state: Int32
    let token: Int32
    var target: Int32
    /// The next transition out of the same state, or -1.
    let next: Int32
  }

  private(set) var states = [State(length: 0, link: -1)]
  private(set) var edges: [Edge] = []
  /// Open addressing by (state, token): numbers of edges, or -1.
  private var slots = [Int32](repeating: -1, count: 64)
  private var shift: UInt64 = 64 - 6
  /// The state of the whole sequence since the last `separate`.
  private(set) var last = root

  public init() {}

  /// Makes room for `tokens` more.
  mutating func reserve(_ tokens: Int) {
    states.reserveCapacity(states.count + tokens * 3 / 2)
    edges.reserveCapacity(edges.count + tokens * 2)
  }

  /// Ends a sequence: no substring reaches from the tokens before over those after.
  public mutating func separate() { last = Self.root }

  public mutating func append(_ token: Int32) {
    if let edge = edge(from: last, token) {
      // Only after `separate`: these tokens stood in an earlier sequence.
      let target = edges[edge].target
      let isWhole = states[Int(target)].length == states[Int(last)].length + 1
      last = isWhole ? target : split(target, from: last, token)
    } else {
      let new = Int32(states.count)
      states.append(State(length: states[Int(last)].length + 1, link: Self.root))
      var suffix = last
      var met: Int?
      while suffix >= 0 {
        met = edge(from: suffix, token)
        if met != nil { break }
        addEdge(from: suffix, token, to: new)
        suffix = states[Int(suffix)].link
      }
      if let met {
        let target = edges[met].target
        let isWhole = states[Int(target)].length == states[Int(suffix)].length + 1
        states[Int(new)].link = isWhole ? target : split(target, from: suffix, token)
      }
      last = new
    }
    var state = last
    for _ in 0..<Self.countedContexts where state > Self.root {
      states[Int(state)].count += 1
      state = states[Int(state)].link
    }
  }

  /// The state after a token, or nil where it never followed.
  @inline(__always)
  func target(from state: Int32, _ token: Int32) -> Int32? {
    edge(from: state, token).map { edges[$0].target }
  }

  /// Splits off `target` the substrings no longer than those of `suffix` plus the token: they
  /// begin to occur at more places than the others.
  private mutating func split(_ target: Int32, from suffix: Int32, _ token: Int32) -> Int32 {
    let part = Int32(states.count)
    var state = states[Int(target)]
    var edge = state.edges
    state.length = states[Int(suffix)].length + 1
    state.edges = -1
    states.append(state)
    while edge >= 0 {
      let copied = edges[Int(edge)]
      addEdge(from: part, copied.token, to: copied.target)
      edge = copied.next
    }
    states[Int(target)].link = part
    var suffix = suffix
    while suffix >= 0, let edge = self.edge(from: suffix, token), edges[edge].target == target {
      edges[edge].target = part
      suffix = states[Int(suffix)].link
    }
    return part
  }

  @inline(__always)
  private func edge(from state: Int32, _ token: Int32) -> Int? {
    let first = states[Int(state)].edges
    guard first >= 0 else { return nil }
    // Most states have a single transition.
    let edge = edges[Int(first)]
    if edge.token == token { return Int(first) }
    if edge.next < 0 { return nil }
    var slot = slot(state, token)
    while slots[slot] >= 0 {
      let edge = edges[Int(slots[slot])]
      if edge.state == state && edge.token == token { return Int(slots[slot]) }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  private mutating func addEdge(from state: Int32, _ token: Int32, to target: Int32) {
    if edges.count * 2 >= slots.count { growSlots() }
    let new = Int32(edges.count)
    edges.append(
      Edge(state: state, token: token, target: target, next: states[Int(state)].edges))
    states[Int(state)].edges = new
    insert(new)
  }

  private mutating func insert(_ edge: Int32) {
    var slot = slot(edges[Int(edge)].state, edges[Int(edge)].token)
    while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
    slots[slot] = edge
  }

  private mutating func growSlots() {
    slots = [Int32](repeating: -1, count: slots.count * 2)
    shift -= 1
    for edge in edges.indices { insert(Int32(edge)) }
  }

  @inline(__always)
  private func slot(_ state: Int32, _ token: Int32) -> Int {
    let key = UInt64(UInt32(bitPattern: state)) << 32 | UInt64(UInt32(bitPattern: token))
    return Int((key &* 0x9E37_79B9_7F4A_7C15) >> shift)
  }
}

/// Reads a sequence along an automaton: the longest suffix read so far that occurs in it.
struct SuffixMatch: Sendable, Equatable {
  var state = SuffixAutomaton.root
  var length = 0

  /// The longest suffix of the automaton's own sequence that occurs in it before.
  static func ofOwnSuffix(in automaton: SuffixAutomaton) -> SuffixMatch {
    let state = max(automaton.states[Int(automaton.last)].link, SuffixAutomaton.root)
    return SuffixMatch(state: state, length: Int(automaton.states[Int(state)].length))
  }

  /// In O(1) amortised time: what a token makes longer, later ones make shorter.
  mutating func advance(_ token: Int32, in automaton: SuffixAutomaton) {
    // The automaton may have grown since, and split the state.
    while case let link = automaton.states[Int(state)].link, link >= 0,
      length <= Int(automaton.states[Int(link)].length)
    {
      state = link
    }
    while true {
      if let next = automaton.target(from: state, token) {
        state = next
        length += 1
        return
      }
      let link = automaton.states[Int(state)].link
      guard link >= 0 else { break }
      state = link
      length = Int(automaton.states[Int(link)].length)
    }
    self = SuffixMatch()
  }
}
