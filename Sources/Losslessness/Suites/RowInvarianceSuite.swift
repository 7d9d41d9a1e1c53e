import Drafters
import LanguageModels

/// Rows of a model's forward passes, bit for bit against the same rows computed alone.
public struct RowInvarianceSuite<Model: LanguageModel> {
  public let model: Model
  /// A text to compute rows after; of 300 tokens or so, in order to cross a boundary between the
  /// pieces that a model computes together.
  public var text: [Int32]
  /// Lengths of the text after which trees are computed.
  public var contexts = [300, 257, 256, 255, 100, 17, 16, 15, 1, 0]
  /// Numbers of rows of the trees.
  public var rowCounts = [1, 2, 3, 4, 5, 8, 9, 16, 17, 24, 32, 48]
  /// Steps of the walk of commits and truncations.
  public var steps = 24
  /// The same model with other numbers of threads.
  public var twins: [(threads: Int, model: Model)] = []
  /// When to stop each of the parts.
  public var secondsLimit: Double?

  /// - Parameter text: at least one token; it is repeated up to the longest of `contexts`.
  public init(model: Model, text: [Int32]) {
    self.model = model
    self.text = text
  }

  /// One result for each part.
  public func run(progress: SuiteProgress = { _, _ in }) -> [SuiteResult] {
    let parts: [(String, String, (inout SuiteResult) throws -> Void)] = [
      ("one pass", "rows of a long pass", { try longPass(&$0) }),
      ("trees", "rows of trees of many shapes, after contexts of many lengths", { try trees(&$0) }),
      ("commits", "rows after commits and truncations", { try commits(&$0) }),
      ("growing trees", "trees computed level by level", { try growth(&$0) }),
      ("sequences", "several sequences in a pass", { try sequences(&$0) }),
      ("threads", "rows computed by other numbers of threads", { try threads(&$0) }),
    ]
    return parts.enumerated().map { place, part in
      progress(part.0, Double(place) / Double(parts.count))
      var result = SuiteResult(group: .rows, name: part.0, checked: part.1)
      result.timed(at: "a pass") { try part.2(&$0) }
      if result.cases == 0 {
        result.outcome = .skipped
        result.note = part.0 == "threads" ? "one thread only" : "out of time"
      }
      return result
    }
  }

  private var longest: Int { contexts.max() ?? 0 }
  private var capacity: Int { longest + max(rowCounts.max() ?? 0, 64) }

  /// The first tokens of the text, repeated where it is too short.
  private func context(_ length: Int) -> [Int32] {
    (0..<length).map { text[$0 % text.count] }
  }

  private func longPass(_ result: inout SuiteResult) throws {
    let tokens = context(longest)
    let cache = try model.makeCache(capacity: capacity)
    let output = try model.forward(chain: tokens, cache: cache)
    let alone = try LoneRows(model: model, capacity: capacity)
    let deadline = Deadline(seconds: secondsLimit)
    for (row, token) in tokens.enumerated() where !deadline.isOver {
      try alone.append(token) {
        result.record(
          rowFault(expected: $0, found: output.logits[row]),
          at: "row \(row) of \(tokens.count)")
      }
    }
  }

  private func trees(_ result: inout SuiteResult) throws {
    let alone = try LoneRows(model: model, capacity: capacity)
    let cache = try model.makeCache(capacity: capacity)
    let deadline = Deadline(seconds: secondsLimit)
    var random = SplitMix(state: 1)
    for (turn, length) in contexts.sorted(by: >).enumerated() {
      let context = context(length)
      try fill(cache, with: context)
      for (place, rows) in rowCounts.enumerated() {
        guard !deadline.isOver else { return result.note = "out of time" }
        let shape = TreeShape.allCases[(turn + place) % TreeShape.allCases.count]
        let tree = shape.tree(rows: rows, vocabularySize: model.vocabularySize, using: &random)
        let output = try model.forward(
          tokens: tree.tokens, parents: tree.parents, cache: cache)
        for (row, expected) in try alone.rows(after: context, tree).enumerated() {
          result.record(
            rowFault(expected: expected, found: output.logits[row]),
            at: "row \(row) of \(rows), \(shape) after \(length) tokens")
        }
      }
    }
  }

  private func commits(_ result: inout SuiteResult) throws {
    let alone = try LoneRows(model: model, capacity: capacity)
    let cache = try model.makeCache(capacity: capacity)
    var random = SplitMix(state: 2)
    var tokens = context(min(12, longest))
    try fill(cache, with: tokens)
    let deadline = Deadline(seconds: secondsLimit)
    for step in 0..<steps where !deadline.isOver {
      let rows = Int.random(in: 2...12, using: &random)
      let tree = TreeShape.random.tree(
        rows: rows, vocabularySize: model.vocabularySize, using: &random)
      _ = try model.forward(tokens: tree.tokens, parents: tree.parents, cache: cache)
      let path = tree.path(to: Int.random(in: 0..<rows, using: &random))
      cache.commit(path: path)
      tokens += path.map { tree.tokens[$0] }
      if step % 3 == 2 || tokens.count + 24 > capacity {
        tokens.removeLast(Int.random(in: 1...tokens.count / 2, using: &random))
        cache.truncate(to: tokens.count)
      }
      let next = TreeShape.chain.tree(
        rows: 1, vocabularySize: model.vocabularySize, using: &random)
      let output = try model.forward(chain: next.tokens, cache: cache)
      result.record(
        rowFault(expected: try alone.rows(after: tokens, next)[0], found: output.logits[0]),
        at: "step \(step), after \(tokens.count) tokens")
    }
  }

  private func growth(_ result: inout SuiteResult) throws {
    let alone = try LoneRows(model: model, capacity: capacity)
    let cache = try model.makeCache(capacity: capacity)
    let deadline = Deadline(seconds: secondsLimit)
    var random = SplitMix(state: 3)
    for length in contexts.sorted(by: >) where length > 0 && !deadline.isOver {
      let context = context(length)
      try fill(cache, with: context)
      for shape in [TreeShape.chain, .comb, .binary] {
        let tree = shape.tree(rows: 12, vocabularySize: model.vocabularySize, using: &random)
        let expected = try alone.rows(after: context, tree)
        for level in tree.levels {
          let output = try model.forward(
            [
              SequenceRows(
                cache: cache, tokens: Array(tree.tokens[level]),
                parents: Array(tree.parents[level]), extendsPending: level.lowerBound > 0)
            ], options: ForwardOptions())[0]
          for (place, row) in level.enumerated() {
            result.record(
              rowFault(expected: expected[row], found: output.logits[place]),
              at: "row \(row), \(shape) after \(length) tokens")
          }
        }
        // What has grown is committed as if it had been computed at once.
        let path = tree.path(to: tree.tokens.count - 1)
        cache.commit(path: path)
        let after = context + path.map { tree.tokens[$0] }
        let next = TestTree(tokens: [tree.tokens[0]], parents: [-1])
        let output = try model.forward(chain: next.tokens, cache: cache)
        result.record(
          rowFault(expected: try alone.rows(after: after, next)[0], found: output.logits[0]),
          at: "after the commit of a \(shape), \(length) tokens")
        cache.truncate(to: length)
      }
    }
  }

  private func sequences(_ result: inout SuiteResult) throws {
    let alone = try LoneRows(model: model, capacity: capacity)
    let deadline = Deadline(seconds: secondsLimit)
    var random = SplitMix(state: 4)
    let caches = try (0..<5).map { _ in try model.makeCache(capacity: capacity) }
    for count in [2, 3, 5] where !deadline.isOver {
      let members = (0..<count).map { member in
        let length = contexts[(member * 3 + count) % contexts.count]
        let shape = TreeShape.allCases[(member + count) % TreeShape.allCases.count]
        let rows = [1, 7, 4, 12, 2][member]
        return (
          // Other texts too: short, because they are computed anew.
          context: member % 2 == 0 ? context(length) : context(min(length, 40)).reversed(),
          tree: shape.tree(rows: rows, vocabularySize: model.vocabularySize, using: &random)
        )
      }
      for (member, cache) in zip(members, caches) { try fill(cache, with: member.context) }
      let outputs = try model.forward(
        zip(members, caches).map {
          SequenceRows(cache: $1, tokens: $0.tree.tokens, parents: $0.tree.parents)
        }, options: ForwardOptions())
      guard outputs.count == count else {
        result.record("expected \(count) outputs, found \(outputs.count)", at: "\(count) sequences")
        continue
      }
      for (place, member) in members.enumerated() {
        let expected = try alone.rows(after: member.context, member.tree)
        for (row, logits) in expected.enumerated() {
          result.record(
            rowFault(expected: logits, found: outputs[place].logits[row]),
            at: "row \(row) of sequence \(place) of \(count), after \(member.context.count) tokens")
        }
      }
    }
  }

  private func threads(_ result: inout SuiteResult) throws {
    let context = context(longest)
    var random = SplitMix(state: 5)
    let trees = [24, 3, 1].map {
      TreeShape.random.tree(rows: $0, vocabularySize: model.vocabularySize, using: &random)
    }
    let own = try model.makeCache(capacity: capacity)
    try fill(own, with: context)
    for twin in twins {
      let cache = try twin.model.makeCache(capacity: capacity)
      try fill(cache, with: context, of: twin.model)
      for tree in trees {
        let expected = try model.forward(tokens: tree.tokens, parents: tree.parents, cache: own)
        let found = try twin.model.forward(
          tokens: tree.tokens, parents: tree.parents, cache: cache)
        for row in tree.tokens.indices {
          result.record(
            rowFault(expected: expected.logits[row], found: found.logits[row]),
            at: "row \(row) of \(tree.tokens.count), \(twin.threads) threads")
        }
      }
    }
    if !twins.isEmpty {
      result.note = "\(twins.map { "\($0.threads)" }.joined(separator: ", ")) threads"
    }
  }

  /// Makes `tokens` the committed ones, in one pass.
  private func fill(_ cache: Model.Cache, with tokens: [Int32], of model: Model? = nil) throws {
    cache.truncate(to: 0)
    guard !tokens.isEmpty else { return }
    _ = try (model ?? self.model).forward(chain: tokens, cache: cache, logits: .none)
    cache.commit(path: Array(tokens.indices))
  }
}
