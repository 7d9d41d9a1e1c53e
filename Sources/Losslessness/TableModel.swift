import LanguageModels

/// The cache of a `TableModel`: the tokens themselves. It notes every misuse.
public final class TableCache: KVCache {
  public let capacity: Int
  public fileprivate(set) var tokens: [Int32] = []
  fileprivate var pending: (tokens: [Int32], parents: [Int32]) = ([], [])
  fileprivate var rows: UnsafeMutableBufferPointer<Float>?
  /// What was done to the cache that no caller may do.
  public private(set) var misuses: [String] = []
  /// Forward passes on this cache.
  public fileprivate(set) var passes = 0
  fileprivate var pendingIsShallow = false
  private let bug: TableModel.Bug?
  /// Committed tokens from here on were computed with layers left out.
  private var shallowFrom = Int.max

  /// An empty cache.
  public init(capacity: Int, bug: TableModel.Bug? = nil) {
    self.capacity = capacity
    self.bug = bug
  }

  deinit { rows?.deallocate() }

  public var count: Int { tokens.count }
  public var pendingCount: Int { pending.tokens.count }

  /// A whole pass must not see keys and values that lack layers.
  fileprivate func noteWholePass() {
    if shallowFrom < tokens.count { misuses.append("a whole pass over shallow tokens") }
  }

  public func commit(path: [Int]) {
    var parent: Int32 = -1
    if pendingIsShallow { shallowFrom = min(shallowFrom, tokens.count) }
    for (place, row) in path.enumerated() {
      guard pending.tokens.indices.contains(row), pending.parents[row] == parent else {
        misuses.append("\(path) is no path of \(pending)")
        break
      }
      tokens.append(pending.tokens[bug == .commitMovesNothing ? place : row])
      parent = Int32(row)
    }
    pending = ([], [])
  }

  public func truncate(to length: Int) {
    if length > tokens.count { misuses.append("truncated \(tokens.count) to \(length)") }
    if bug == .truncateOffByOne, length > 0, length < tokens.count {
      tokens[length - 1] = tokens[length]
    }
    tokens.removeSubrange(min(length, tokens.count)...)
    if tokens.count <= shallowFrom { shallowFrom = .max }
    pending = ([], [])
  }
}

/// Rows that a `TableModel` cannot compute.
public struct TableError: Error {}

/// A model whose logits are a hash of the tokens a row can see: committed ones and its ancestors.
/// Any error in a tree, a parent or the cache changes what follows.
public final class TableModel: LanguageModel {
  public typealias Cache = TableCache

  /// What is wrong with the model or its cache: each breaks what a real one promises.
  public enum Bug: String, CaseIterable, Sendable {
    /// A row of a pass over many rows differs in its last bit.
    case rowCount
    /// A row sees the one before it in place of its parent.
    case siblingVisible
    /// A row at a distance of a chunk from the first misses a token.
    case chunkBoundary
    /// Accepted rows stay where they were computed, and others are committed in their place.
    case commitMovesNothing
    /// The last of the tokens kept is overwritten by the first one dropped.
    case truncateOffByOne
    /// A sequence is computed after the first one's tokens.
    case neighbourVisible
    /// Rows that grow from pending ones do not see them.
    case growthForgets
  }

  public let vocabularySize: Int
  public let hiddenSize = 1
  public let contextLength: Int
  public let layerCount = 4
  /// How many of the last tokens count. Few make the text repeat itself.
  public let order: Int
  public let seed: UInt64
  /// Half the range of the logits.
  public let sharpness: Float
  /// Another model's logits with this much noise: a draft model.
  public let base: TableModel?
  public let bug: Bug?

  /// A model whose logits lie within `sharpness` of those of `base`, or of zero.
  public init(
    vocabularySize: Int, seed: UInt64 = 1, order: Int = .max, sharpness: Float = 3,
    contextLength: Int = 4096, base: TableModel? = nil, bug: Bug? = nil
  ) {
    self.vocabularySize = vocabularySize
    self.seed = seed
    self.order = order
    self.sharpness = sharpness
    self.contextLength = contextLength
    self.base = base
    self.bug = bug
  }

  /// A model that mostly agrees with this one.
  public func noisy(_ noise: Float, seed: UInt64 = 99, contextLength: Int = 4096) -> TableModel {
    TableModel(
      vocabularySize: vocabularySize, seed: seed, order: order, sharpness: noise,
      contextLength: contextLength, base: self)
  }

  public func makeCache(capacity: Int) throws -> TableCache {
    TableCache(capacity: capacity, bug: bug)
  }

  /// The logits that follow a sequence of tokens. (vocabularySize)
  public func logits(after path: [Int32]) -> [Float] {
    var hash = seed
    for token in path.suffix(order) { hash = mix(hash ^ UInt64(UInt32(bitPattern: token))) }
    let basis = base?.logits(after: path)
    return (0..<vocabularySize).map {
      let unit = Float(mix(hash &+ UInt64($0) &* 0x9E37_79B9) >> 40) * 0x1p-23 - 1
      return (basis?[$0] ?? 0) + unit * sharpness
    }
  }

  /// The state that follows a sequence of tokens. (hiddenSize)
  public func state(after path: [Int32]) -> Float {
    var hash = seed
    for token in path.suffix(order) { hash = mix(hash ^ UInt64(UInt32(bitPattern: token))) }
    return Float(mix(hash) >> 40) * 0x1p-23 - 1
  }

  public func forward(
    _ sequences: [SequenceRows<TableCache>], options: ForwardOptions
  ) throws -> [ForwardOutput] {
    try sequences.map { sequence in
      let neighbour = bug == .neighbourVisible ? sequences[0].cache.tokens : nil
      return try forward(sequence, options, context: neighbour ?? sequence.cache.tokens)
    }
  }

  private func forward(
    _ sequence: SequenceRows<TableCache>, _ options: ForwardOptions, context: [Int32]
  ) throws -> ForwardOutput {
    let cache = sequence.cache
    let before = sequence.extendsPending ? cache.pending : (tokens: [], parents: [])
    let tokens = before.tokens + sequence.tokens
    let parents = before.parents + sequence.parents
    guard tokens.count == parents.count, cache.count + tokens.count <= cache.capacity,
      tokens.allSatisfy({ $0 >= 0 && $0 < vocabularySize }),
      parents.indices.allSatisfy({ parents[$0] >= -1 && parents[$0] < Int32($0) })
    else { throw TableError() }
    if options.skippedLayers.isEmpty { cache.noteWholePass() }
    cache.pending = (tokens, parents)
    cache.pendingIsShallow = !options.skippedLayers.isEmpty
    cache.passes += 1
    let new = before.tokens.count..<tokens.count
    let wanted =
      switch options.logits {
      case .all: Array(new)
      case .last: [tokens.count - 1]
      case .none: [Int]()
      }
    let isObserved = options.observing.finalHidden
    cache.rows?.deallocate()
    let rows = UnsafeMutableBufferPointer<Float>.allocate(
      capacity: 1 + wanted.count * vocabularySize + new.count)
    cache.rows = rows
    let states = rows.baseAddress! + wanted.count * vocabularySize
    for row in isObserved ? new : new.prefix(0) {
      states[row - new.lowerBound] = state(after: seen(row))
    }
    func seen(_ row: Int) -> [Int32] {
      var path: [Int32] = []
      var node = row
      while node >= 0 {
        path.append(tokens[node])
        node = bug == .siblingVisible ? node - 1 : Int(parents[node])
        if bug == .growthForgets && node < before.tokens.count { break }
      }
      var seen = context + path.reversed()
      if bug == .chunkBoundary && row >= 256 { seen.removeFirst() }
      return seen
    }
    for (place, row) in wanted.enumerated() {
      // Each layer left out adds noise of its own.
      let model = options.skippedLayers.sorted().reduce(self) {
        $0.noisy(1.5 / Float($1 + 1), seed: UInt64($1))
      }
      for (token, logit) in model.logits(after: seen(row)).enumerated() {
        let isOff = bug == .rowCount && tokens.count > 4 && token == 0
        rows[place * vocabularySize + token] = isOff ? logit.nextUp : logit
      }
    }
    return ForwardOutput(
      logits: FloatRows(
        base: rows.baseAddress!, rows: wanted.count, columns: vocabularySize),
      finalHidden: isObserved ? FloatRows(base: states, rows: new.count, columns: 1) : nil)
  }

  private func mix(_ value: UInt64) -> UInt64 {
    var bits = value &+ 0x9E37_79B9_7F4A_7C15
    bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
    return bits ^ bits >> 31
  }
}
