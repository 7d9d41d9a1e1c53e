import LanguageModels

/// Rows computed one at a time, each in a pass of its own: what all other ways of computing them
/// are compared with.
final class LoneRows<Model: LanguageModel> {
  private let model: Model
  private let cache: Model.Cache
  private var context: [Int32] = []

  init(model: Model, capacity: Int) throws {
    self.model = model
    cache = try model.makeCache(capacity: capacity)
  }

  /// The logits of each row of a tree that follows `context`. (rows, vocabularySize)
  func rows(after context: [Int32], _ tree: TestTree) throws -> [[Float]] {
    try move(to: context)
    var rows = [[Float]](repeating: [], count: tree.tokens.count)
    func visit(_ parent: Int) throws {
      for row in tree.tokens.indices where Int(tree.parents[row]) == parent {
        let output = try model.forward(chain: [tree.tokens[row]], cache: cache)
        rows[row] = Array(output.logits[0])
        let length = cache.count
        cache.commit(path: [0])
        try visit(row)
        cache.truncate(to: length)
      }
    }
    try visit(-1)
    return rows
  }

  /// Appends a token, and calls `body` with its logits.
  func append(_ token: Int32, _ body: (UnsafeMutableBufferPointer<Float>) throws -> Void) throws {
    let output = try model.forward(chain: [token], cache: cache)
    try body(output.logits[0])
    cache.commit(path: [0])
    context.append(token)
  }

  /// Makes `tokens` the committed ones; those in common are kept.
  private func move(to tokens: [Int32]) throws {
    let common = zip(context, tokens).prefix { $0 == $1 }.count
    cache.truncate(to: common)
    context.removeSubrange(common...)
    for token in tokens[common...] { try append(token) { _ in } }
  }
}

/// Rows of a forward pass.
struct TestTree {
  var tokens: [Int32] = []
  /// -1 for rows that follow the context.
  var parents: [Int32] = []

  /// The rows from the root down to `row`.
  func path(to row: Int) -> [Int] {
    var path = [row]
    while let first = path.first, parents[first] >= 0 { path.insert(Int(parents[first]), at: 0) }
    return path
  }

  /// The numbers of the rows at each depth; they follow one another when the tree was made
  /// breadth first.
  var levels: [Range<Int>] {
    var depths: [Int] = []
    for parent in parents { depths.append(parent < 0 ? 0 : depths[Int(parent)] + 1) }
    return (0...(depths.max() ?? 0)).map { depth in
      let first = depths.firstIndex(of: depth) ?? 0
      return first..<((depths.lastIndex(of: depth) ?? -1) + 1)
    }
  }
}

/// The forms that trees take.
enum TreeShape: String, CaseIterable {
  case chain, star, comb, binary, random

  /// A tree of random tokens.
  func tree(
    rows: Int, vocabularySize: Int, using random: inout some RandomNumberGenerator
  ) -> TestTree {
    var tree = TestTree()
    for row in 0..<rows {
      tree.tokens.append(Int32.random(in: 0..<Int32(vocabularySize), using: &random))
      let parent =
        switch self {
        case .chain: row - 1
        case .star: -1
        // A chain of which each node has one more child.
        case .comb: row < 2 ? -1 : (row / 2) * 2 - 2
        case .binary: (row - 1) >> 1
        case .random: Int.random(in: -1..<row, using: &random)
        }
      tree.parents.append(Int32(row == 0 ? -1 : parent))
    }
    return tree
  }
}

/// How a row differs from what it should be, in any bit; nil when it does not.
func rowFault(
  expected: some Collection<Float>, found: some Collection<Float>
) -> String? {
  guard expected.count == found.count else {
    return "expected \(expected.count) logits, found \(found.count)"
  }
  var first: String?
  var count = 0
  for (token, (a, b)) in zip(expected, found).enumerated() where a.bitPattern != b.bitPattern {
    count += 1
    first = first ?? "token \(token) is \(a) alone and \(b) here"
  }
  return first.map { "\(count) of \(expected.count) logits differ: \($0)" }
}
