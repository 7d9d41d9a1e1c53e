import LanguageModels
import Sampling
import Speculation
import Testing

@testable import Drafters

/// Sequences that automata find hard: small alphabets, loops, repeats with changes, and many
/// different tokens.
private let sequences: [[Int32]] = {
  var generator = SplitMix(state: 7)
  func random(_ count: Int, _ alphabet: Int32) -> [Int32] {
    (0..<count).map { _ in Int32(truncatingIfNeeded: generator.next() >> 33) % alphabet }
  }
  let phrase = random(9, 50)
  let repeats = (0..<12).flatMap { _ in phrase + random(3, 50) }
  return [
    [], [5], random(90, 2), random(120, 3), random(120, 9), random(120, 1000),
    [Int32](repeating: 4, count: 60), (0..<90).map { Int32($0 % 7) }, repeats,
    random(40, 3).flatMap { [$0, $0, $0] },
  ]
}()

private struct SplitMix {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}

private func occurrences(of part: ArraySlice<Int32>, in whole: [Int32]) -> Int {
  guard !part.isEmpty, part.count <= whole.count else { return 0 }
  return (0...(whole.count - part.count)).count { whole[$0..<($0 + part.count)] == part }
}

@Suite struct SuffixAutomatonTests {
  @Test("it reads the substrings and nothing else, and counts them", arguments: sequences)
  func substrings(sequence: [Int32]) {
    var automaton = SuffixAutomaton()
    for token in sequence { automaton.append(token) }
    for start in sequence.indices {
      var state = SuffixAutomaton.root
      for end in start..<min(sequence.count, start + 20) {
        guard let next = automaton.target(from: state, sequence[end]) else {
          Issue.record("\(sequence[start...end]) is not read")
          return
        }
        state = next
        let count = occurrences(of: sequence[start...end], in: sequence)
        #expect(Int(automaton.states[Int(state)].count) == count)
        let other = sequence[end] + 1
        let changed = sequence[start..<end] + [other]
        if start < end, let before = read(sequence[start..<end], automaton) {
          let isRead = automaton.target(from: before, other) != nil
          #expect(isRead == (occurrences(of: changed, in: sequence) > 0))
        }
      }
    }
    #expect(automaton.states.count <= max(1, 2 * sequence.count))
    #expect(automaton.edges.count <= 3 * sequence.count)
  }

  private func read(_ tokens: ArraySlice<Int32>, _ automaton: SuffixAutomaton) -> Int32? {
    var state = SuffixAutomaton.root
    for token in tokens {
      guard let next = automaton.target(from: state, token) else { return nil }
      state = next
    }
    return state
  }

  @Test("at every token it knows the longest suffix that stood before", arguments: sequences)
  func longestSuffix(sequence: [Int32]) {
    var automaton = SuffixAutomaton()
    for end in sequence.indices {
      automaton.append(sequence[end])
      let before = Array(sequence[..<end])
      let whole = Array(sequence[...end])
      let longest = (0...end).first { start in
        // It may overlap itself, but must end before the end.
        occurrences(of: whole[start...], in: Array(before)) > 0
      }
      let length = longest.map { whole.count - $0 } ?? 0
      #expect(SuffixMatch.ofOwnSuffix(in: automaton).length == length, "\(end)")
    }
  }

  @Test("reading another sequence finds its longest suffixes, while the automaton grows")
  func matching() {
    for known in sequences {
      for other in sequences {
        var automaton = SuffixAutomaton()
        var grown: [Int32] = []
        var match = SuffixMatch()
        for (place, token) in other.prefix(60).enumerated() {
          for token in known.dropFirst(place * 2).prefix(2) {
            automaton.append(token)
            grown.append(token)
          }
          match.advance(token, in: automaton)
          let read = Array(other[...place])
          let longest = read.indices.first { occurrences(of: read[$0...], in: grown) > 0 }
          // What grows later does not lengthen a match, so a longer one may exist by now.
          #expect(match.length <= longest.map { read.count - $0 } ?? 0)
          if match.length > 0 {
            #expect(
              self.read(read.suffix(match.length), automaton) == settled(match, in: automaton))
          }
        }
      }
    }
  }

  private func settled(_ match: SuffixMatch, in automaton: SuffixAutomaton) -> Int32 {
    var state = match.state
    while case let link = automaton.states[Int(state)].link, link >= 0,
      Int(automaton.states[Int(link)].length) >= match.length
    {
      state = link
    }
    return state
  }

  @Test("no substring reaches over a separation, and counts are those of all sequences")
  func separation() {
    let parts = sequences.map { Array($0.prefix(50)) }
    var automaton = SuffixAutomaton()
    for part in parts + parts {
      for token in part { automaton.append(token) }
      automaton.separate()
    }
    for part in parts {
      for start in part.indices {
        for end in start..<min(part.count, start + 8) {
          let count = parts.map { occurrences(of: part[start...end], in: $0) * 2 }.reduce(0, +)
          let state = read(part[start...end], automaton)
          #expect(state.map { Int(automaton.states[Int($0)].count) } == count)
        }
      }
      let reach = part.suffix(2) + (parts.last?.prefix(1) ?? [])
      let count = parts.map { occurrences(of: reach, in: $0) }.reduce(0, +)
      #expect((read(reach, automaton) != nil) == (count > 0 || reach.isEmpty))
    }
  }
}

private func draft(
  after tokens: [Int32], _ configuration: SuffixDrafter.Configuration = .init(),
  _ budget: DraftBudget = DraftBudget(nodes: 64, depth: 64)
) throws -> DraftTree {
  let drafter = try SuffixDrafter(configuration)
  try drafter.begin(prompt: tokens)
  return try drafter.draft(after: context(tokens), budget: budget)
}

private func context(_ tokens: [Int32]) -> DraftContext {
  DraftContext(
    tokens: tokens, vocabularySize: 2000, sampler: Sampler(.greedy),
    chance: KeyedRandom(seed: 1), style: .matching)
}

@Suite struct SuffixDrafterTests {
  /// The path of best children from the root.
  private func bestPath(_ tree: DraftTree) -> [Int32] {
    var path: [Int32] = []
    var node = DraftTree.root
    while let best = tree.children(of: node).max(by: { tree.scores[$0] < tree.scores[$1] }) {
      path.append(tree.tokens[best])
      node = best
    }
    return path
  }

  @Test("a long repeat is continued as it went on, and a loop as a loop")
  func continuation() throws {
    let repeated = Array(10..<40) + [1] + Array(10..<20) as [Int32]
    #expect(bestPath(try draft(after: repeated)).starts(with: 20..<25))
    let loop = (0..<40).map { Int32($0 % 5) }
    let path = bestPath(try draft(after: loop))
    #expect(path.count > 20 && path == path.indices.map { Int32((40 + $0) % 5) })
    #expect(try draft(after: [7]).isEmpty && draft(after: [1, 2, 3, 4]).isEmpty)
  }

  @Test("it goes on from a drafted path as it would from the same tokens of the sequence")
  func extending() throws {
    let known = Array(10..<40) as [Int32]
    let drafter = try SuffixDrafter()
    try drafter.begin(prompt: known + [1, 2])
    let after = context(known + [1, 2])
    let budget = DraftBudget(nodes: 8, depth: 8)
    #expect(try drafter.draft(after: after, budget: budget).isEmpty)
    let extended = try drafter.extend([15, 16, 17], after: after, budget: budget)
    #expect(bestPath(extended).starts(with: [18, 19]))
    #expect(try drafter.extend([90], after: after, budget: budget).isEmpty)
    #expect(try drafter.draft(after: after, budget: budget).isEmpty, "nothing was learned")
  }

  @Test("what followed more often scores higher, and longer matches score higher than short ones")
  func scores() throws {
    let followers: [Int32] = [8, 9, 8, 8]
    var often: [Int32] = []
    for (index, follower) in followers.enumerated() {
      often += [Int32(index) + 50, 1, 2, 3, follower]
    }
    let tree = try draft(after: often + [60, 1, 2, 3])
    let children = Dictionary(
      uniqueKeysWithValues: tree.children(of: DraftTree.root).map {
        (tree.tokens[$0], tree.scores[$0])
      })
    let eight = try #require(children[8]), nine = try #require(children[9])
    #expect(eight > 2 * nine && eight + nine <= 1)
    var last = 0.0
    for length in [1, 2, 3, 4, 6, 8, 12, 20, 40] {
      let phrase = (100..<(100 + length)).map(Int32.init)
      let tree = try draft(after: phrase + [5] + phrase, .init(minimumPathProbability: 0))
      let score = try #require(tree.scores.first)
      #expect(tree.tokens.first == 5 && score > last)
      last = score
    }
    #expect(last < 1)
  }

  @Test("trees keep to the budget, are well formed, and a smaller one is the larger one's start")
  func budgets() throws {
    for tokens in sequences where !tokens.isEmpty {
      let whole = try draft(after: tokens)
      #expect(whole._checkInvariants() == nil)
      for nodes in [0, 1, 2, 5, 20] {
        let part = try draft(after: tokens, .init(), DraftBudget(nodes: nodes, depth: 64))
        #expect(part.tokens == Array(whole.tokens.prefix(nodes)))
        #expect(part.parents == Array(whole.parents.prefix(nodes)))
      }
      #expect(try draft(after: tokens, .init(), DraftBudget(nodes: 9, depth: 3)).depth <= 3)
      #expect(try draft(after: tokens, .init(depth: 2)).depth <= 2)
      let sums = (-1..<whole.count).map { parent in
        whole.children(of: parent).map { whole.scores[$0] }.reduce(0, +)
      }
      #expect(sums.allSatisfy { $0 <= 1 + 1e-9 })
    }
    #expect(throws: SpeculationError.self) { try SuffixDrafter(.init(nodes: 0)) }
    #expect(throws: SpeculationError.self) { try SuffixDrafter(.init(depth: 0)) }
    #expect(throws: SpeculationError.self) { try SuffixDrafter(.init(minimumPathProbability: 2)) }
  }

  @Test("a prompt that goes on from the last sequence, or differs, drafts like a new one")
  func reuse() throws {
    for tokens in sequences where tokens.count > 20 {
      let drafter = try SuffixDrafter()
      let budget = DraftBudget(nodes: 64, depth: 64)
      try drafter.begin(prompt: Array(tokens.prefix(10)))
      try drafter.begin(prompt: tokens)
      #expect(
        try drafter.draft(after: context(tokens), budget: budget) == draft(after: tokens))
      let other = Array(tokens.reversed())
      try drafter.begin(prompt: other)
      #expect(try drafter.draft(after: context(other), budget: budget) == draft(after: other))
      let shorter = Array(other.prefix(15))
      try drafter.begin(prompt: shorter)
      #expect(
        try drafter.draft(after: context(shorter), budget: budget) == draft(after: shorter))
    }
  }
}
