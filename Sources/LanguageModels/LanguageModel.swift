/// What one sequence has stored in a model: the keys and values of its tokens.
///
/// A forward pass appends a *tree* of pending rows after the committed tokens. Afterwards
/// `commit(path:)` keeps an accepted path of that tree and drops the rest.
public protocol KVCache: AnyObject {
  /// Committed tokens: the position of the next one.
  var count: Int { get }
  /// The most tokens, pending ones included, that fit.
  var capacity: Int { get }
  /// Rows of the last forward pass that are neither committed nor dropped.
  var pendingCount: Int { get }
  /// Keeps rows of the last forward pass, given by index from the root down: `path[0]` follows
  /// the committed tokens, every later one is a child of the one before it. Other rows are
  /// dropped. An empty path drops all.
  func commit(path: [Int])
  /// Drops the pending rows, and the committed tokens from position `length` on.
  func truncate(to length: Int)
}

/// What a forward pass returns beside logits, for drafters that read the target's inner states.
public struct Observation: Sendable, Equatable {
  /// The state that the output head sees: after the last norm. (rows, hiddenSize)
  public var finalHidden: Bool
  /// Layers whose output states are wanted (0 = the embedding, n = after layer n).
  public var layers: [Int]

  public init(finalHidden: Bool = false, layers: [Int] = []) {
    self.finalHidden = finalHidden
    self.layers = layers
  }

  public static let nothing = Observation()
}

/// Which rows' logits a forward pass computes.
public enum LogitRows: Sendable, Equatable {
  case all
  /// Only the last row's: a prompt needs no more.
  case last
  case none
}

/// Rows of floats that a model owns; valid until its next forward pass on the same cache.
public struct FloatRows {
  public var base: UnsafeMutablePointer<Float>
  /// (rows, columns)
  public var rows: Int
  public var columns: Int

  public init(base: UnsafeMutablePointer<Float>, rows: Int, columns: Int) {
    self.base = base
    self.rows = rows
    self.columns = columns
  }

  public subscript(row: Int) -> UnsafeMutableBufferPointer<Float> {
    precondition(row >= 0 && row < rows, "row \(row) of \(rows)")
    return UnsafeMutableBufferPointer(start: base + row * columns, count: columns)
  }
}

/// The result of a forward pass, valid until the next one on the same cache.
public struct ForwardOutput {
  /// (rows, vocabularySize), unless the model's head is cut to some tokens; with `.last` one row,
  /// with `.none` none. May be overwritten by the caller (logits processors work in place).
  public var logits: FloatRows
  /// (rows, hiddenSize), if observed.
  public var finalHidden: FloatRows?
  /// One (rows, hiddenSize) for each observed layer, in the order asked for.
  public var layers: [FloatRows]

  public init(logits: FloatRows, finalHidden: FloatRows? = nil, layers: [FloatRows] = []) {
    self.logits = logits
    self.finalHidden = finalHidden
    self.layers = layers
  }
}

/// A causal language model.
///
/// Weights are shared and immutable; all state of a sequence is in its cache. One model may serve
/// several caches, one call at a time.
public protocol LanguageModel: AnyObject, Sendable {
  associatedtype Cache: KVCache

  var vocabularySize: Int { get }
  var hiddenSize: Int { get }
  /// Tokens that the model was made for.
  var contextLength: Int { get }

  /// An empty cache for `capacity` tokens.
  func makeCache(capacity: Int) throws -> Cache

  /// The tokens of the logits, ascending, when they are only some of the vocabulary's; nil when
  /// logit i is token i's.
  var headTokens: [Int32]? { get }

  /// Layers of the model; 0 when it has none that can be skipped.
  var layerCount: Int { get }

  /// Runs trees of tokens, each of which follows the committed tokens of its own cache, in one
  /// pass over the weights.
  ///
  /// A row's results do not depend on the other rows, except its ancestors, nor on the other
  /// sequences (bitwise).
  /// - Returns: one output for each sequence, valid until the next pass on any of the caches.
  /// - Throws: when a token is outside the vocabulary, or rows do not fit in their cache.
  func forward(_ sequences: [SequenceRows<Cache>], options: ForwardOptions) throws
    -> [ForwardOutput]
}

/// The rows of one sequence in a forward pass.
public struct SequenceRows<Cache: KVCache> {
  public var cache: Cache
  /// Parents before children.
  public var tokens: [Int32]
  /// For each row its parent, or -1 when it follows the committed tokens. Same count as `tokens`.
  /// Rows are numbered from the first pending one: 0 is the first of `tokens`, or, when
  /// `extendsPending`, the first row that was pending before.
  public var parents: [Int32]
  /// Whether the pending rows of the last pass stay, and these rows grow from them; otherwise they
  /// are dropped first.
  public var extendsPending: Bool
  /// A state for each token, for models that take them (`ModelConfiguration.takesStates`); others
  /// ignore it. Read during the pass only. (rows, hiddenSize)
  public var states: UnsafePointer<Float>?

  public init(
    cache: Cache, tokens: [Int32], parents: [Int32], extendsPending: Bool = false,
    states: UnsafePointer<Float>? = nil
  ) {
    self.cache = cache
    self.tokens = tokens
    self.parents = parents
    self.extendsPending = extendsPending
    self.states = states
  }
}

/// What a forward pass computes, beside keys and values.
public struct ForwardOptions: Sendable, Equatable {
  public var logits: LogitRows
  public var observing: Observation
  /// Layers to leave out, counted from 0: the state passes them by. Rows of such a pass have no
  /// keys and values in those layers, so drop them (`truncate(to:)`) before a whole pass.
  public var skippedLayers: Set<Int>

  public init(
    logits: LogitRows = .all, observing: Observation = .nothing, skippedLayers: Set<Int> = []
  ) {
    self.logits = logits
    self.observing = observing
    self.skippedLayers = skippedLayers
  }
}

extension LanguageModel {
  public var headTokens: [Int32]? { nil }

  /// Runs a tree of tokens that follows the cache's committed ones. Pending rows of an earlier
  /// pass are dropped first.
  public func forward(
    tokens: [Int32], parents: [Int32], cache: Cache, logits: LogitRows = .all,
    observing: Observation = .nothing
  ) throws -> ForwardOutput {
    try forward(
      [SequenceRows(cache: cache, tokens: tokens, parents: parents)],
      options: ForwardOptions(logits: logits, observing: observing))[0]
  }

  /// Runs a chain of tokens: each follows the one before it.
  public func forward(
    chain tokens: [Int32], cache: Cache, logits: LogitRows = .all,
    observing: Observation = .nothing
  ) throws -> ForwardOutput {
    try forward(
      tokens: tokens, parents: (0..<Int32(tokens.count)).map { $0 - 1 }, cache: cache,
      logits: logits, observing: observing)
  }
}
