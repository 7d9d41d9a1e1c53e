import Speculation

/// The shape of the tree that a draft model grows.
public enum DraftShape: Sendable, Equatable {
  /// One token after the other.
  case chain
  /// EAGLE-2's rule (2406.16858): each level proposes `topK` children for each of its `topK` nodes
  /// of highest path probability; of all nodes, those of highest path probability are verified.
  case dynamic(topK: Int = 4)
  /// OPT-Tree (2406.17276): the tree of the budget's size with the most expected accepted tokens.
  /// It ends with the level that adds fewer than `minimumGain` of them.
  case optimal(minimumGain: Double = 0.1)
  /// The same tree always, each node of a level having as many children: `[4, 2, 1]` has 4, 8 and
  /// 8 nodes.
  case widths([Int])
  /// The same tree always, given by its nodes: each is a path of ranks from the root, 0 for the
  /// most probable child, as Medusa's choices (2401.10774) are. `[[0], [1], [0, 0]]` has two
  /// nodes, and one under the first.
  case paths([[Int]])
  /// Level by level, as the affine tree's configuration says.
  case levels(LevelExpansion)

  /// The most nodes of a static tree.
  public static let mostNodes = 1024

  /// `chain`, `dynamic`, `opt`, or widths such as `4,2,1`.
  /// - Throws: `SpeculationError.invalidSetting`.
  public init(parsing text: String) throws {
    switch text {
    case "chain": self = .chain
    case "dynamic": self = .dynamic()
    case "opt": self = .optimal()
    default:
      let parts = text.split(separator: ",", omittingEmptySubsequences: false)
      let widths = parts.compactMap { Int($0) }
      guard widths.count == parts.count else {
        throw SpeculationError.invalidSetting(
          name: "draft-tree", expected: "chain, dynamic, opt or widths such as 4,2,1", found: text)
      }
      self = .widths(widths)
      _ = try GrowthPlan(self, length: 1, limit: 1)
    }
  }
}

/// How each level of a tree grows out of the one before.
public struct LevelExpansion: Sendable, Equatable {
  public enum Strategy: String, Sendable, Codable, CaseIterable {
    /// A node gets its most probable children.
    case topK = "top-k"
    /// A node gets its most probable children until they have `topP` of the probability.
    case topP = "top-p"
    /// Of each level only the nodes that get children are in the tree.
    case beam
    /// The same, and of one node's children each counts for less than the one before it
    /// (Li and others, 1611.08562), so that the beam has children of several nodes.
    case diverseBeam = "diverse-beam"
  }

  public var strategy: Strategy
  /// The most children of a node.
  public var candidates: Int
  /// The most nodes of a level that get children, those of highest path probability.
  public var paths: Int
  public var topP: Double
  /// What a place among its siblings takes from a node's log-probability.
  public var diversity: Double

  public init(
    strategy: Strategy = .topK, candidates: Int = 5, paths: Int = 4, topP: Double = 0.9,
    diversity: Double = 0.5
  ) {
    self.strategy = strategy
    self.candidates = candidates
    self.paths = paths
    self.topP = topP
    self.diversity = diversity
  }

  /// Whether nodes that get no children leave the tree.
  var isBeam: Bool { strategy == .beam || strategy == .diverseBeam }
}

/// A shape within a budget: which nodes get children, and how many.
struct GrowthPlan {
  /// The most levels.
  var depth: Int
  /// The most nodes of a level that get children: rows of one pass.
  var width: Int
  /// Ends the tree with a level that adds fewer expected accepted tokens.
  var minimumGain = 0.0
  /// nil for a shape that does not choose level by level.
  private(set) var expansion: LevelExpansion?
  /// The children of a node, unless the tree is static.
  private var children = 1
  /// For each node of a static tree its children, by rank; the root is node 0.
  private var places: [[Int]] = []

  /// - Parameters:
  ///   - length: the most levels, unless the tree is static.
  ///   - limit: the most nodes.
  /// - Throws: `SpeculationError.invalidSetting`.
  init(_ shape: DraftShape, length: Int, limit: Int) throws {
    depth = length
    width = 1
    switch shape {
    case .chain: break
    case .dynamic(let topK):
      guard topK >= 1 else {
        throw Self.invalid("children of a node: 1 or more", "\(topK)")
      }
      width = min(topK, limit)
      children = width
    case .optimal(let gain):
      guard gain >= 0 else { throw Self.invalid("a gain of 0 or more", "\(gain)") }
      minimumGain = gain
      width = limit
      children = limit
    case .levels(let expansion):
      guard expansion.candidates >= 1, expansion.paths >= 1 else {
        throw Self.invalid("1 or more candidates and paths", "\(expansion)")
      }
      self.expansion = expansion
      width = min(expansion.paths, limit)
      children = min(expansion.candidates, limit)
    case .widths(let widths):
      try grow(widths)
    case .paths(let paths):
      try grow(paths)
    }
  }

  /// How many children a node gets.
  /// - Parameter place: its place in a static tree; 0 for the root.
  func childCount(place: Int) -> Int {
    places.isEmpty ? children : places[place].count
  }

  /// The place of a node's child of a rank.
  func place(of rank: Int, under place: Int) -> Int {
    places.isEmpty ? 0 : places[place][rank]
  }

  private mutating func grow(_ widths: [Int]) throws {
    guard !widths.isEmpty, widths.allSatisfy({ $0 >= 1 }) else {
      throw Self.invalid(
        "widths of 1 or more", widths.map(String.init).joined(separator: ","))
    }
    places = [[]]
    depth = widths.count
    var level = [0]
    for count in widths {
      guard count <= DraftShape.mostNodes,
        level.count * count + places.count <= 1 + DraftShape.mostNodes
      else {
        throw Self.invalid("at most \(DraftShape.mostNodes) nodes", "widths \(widths)")
      }
      width = max(width, level.count)
      level = level.flatMap { parent in (0..<count).map { _ in add(under: parent) } }
    }
  }

  private mutating func grow(_ paths: [[Int]]) throws {
    guard !paths.isEmpty, paths.count <= DraftShape.mostNodes else {
      throw Self.invalid("1 to \(DraftShape.mostNodes) paths", "\(paths.count)")
    }
    places = [[]]
    depth = 0
    var numbers: [[Int]: Int] = [[]: 0]
    var parents: [Int: Set<Int>] = [:]
    // Parents come before their children, and lower ranks before higher ones.
    for path in paths.sorted(by: { ($0.count, $0.last ?? 0) < ($1.count, $1.last ?? 0) }) {
      guard let rank = path.last, let parent = numbers[Array(path.dropLast())],
        rank == places[parent].count
      else {
        throw Self.invalid("paths whose parents and lower ranks are there too", "\(path)")
      }
      numbers[path] = add(under: parent)
      depth = path.count
      parents[path.count - 1, default: []].insert(parent)
    }
    width = parents.values.map(\.count).max() ?? 1
  }

  private mutating func add(under parent: Int) -> Int {
    places.append([])
    places[parent].append(places.count - 1)
    return places.count - 1
  }

  private static func invalid(_ expected: String, _ found: String) -> SpeculationError {
    .invalidSetting(name: "draft-tree", expected: expected, found: found)
  }
}
