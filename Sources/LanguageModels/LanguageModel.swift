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
  /// (rows, vocabularySize); with `.last` one row, with `.none` none. May be overwritten by the
  /// caller (logits processors work in place).
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

  /// Runs a tree of tokens that follows the cache's committed ones.
  ///
  /// Pending rows of an earlier pass are dropped first. Row i's results do not depend on the
  /// other rows, except its ancestors (bitwise).
  /// - Parameters:
  ///   - tokens: the rows, parents before children.
  ///   - parents: for each row the index of its parent row, or -1 when it follows the committed
  ///     tokens. Same count as `tokens`.
  /// - Throws: when a token is outside the vocabulary, or the rows do not fit in the cache.
  func forward(
    tokens: [Int32], parents: [Int32], cache: Cache, logits: LogitRows, observing: Observation
  ) throws -> ForwardOutput
}

extension LanguageModel {
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
