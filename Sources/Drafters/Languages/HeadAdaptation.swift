import Foundation
import ModelFiles
import Synchronization

/// What a tiny language model learns of its target while it drafts: a correction of its output
/// matrix, some rows of it, by stochastic gradient descent on the tokens that the target wrote.
///
/// The model itself stays as it is. The correction is bounded in rows and size, may be kept in a file,
/// and several sequences may learn together. Off unless one is given (`DrafterSettings.adaptation`).
public final class HeadAdaptation: Sendable {
  public struct Configuration: Sendable, Equatable {
    /// The most tokens whose rows are corrected; those that were learned longest ago leave first.
    public var rows = 2048
    /// By how many nats a token's logit moves at most, for a state just learned.
    public var rate: Float = 2
    /// What a correction keeps of itself each time its row is learned.
    public var retention: Float = 0.999
    /// Tokens less probable than this are left as they are.
    public var leastProbability: Float = 0.01

    public init() {}
  }

  public let configuration: Configuration
  /// Where it is kept; nil keeps it in memory.
  public let path: String?
  private let state: Mutex<State>

  private struct State {
    /// Columns of a row; 0 while nothing is known of the model.
    var hidden = 0
    /// The row of each token.
    var places: [Int32: Int] = [:]
    var tokens: [Int32] = []
    /// (rows, hidden)
    var weights: [Float] = []
    var learned: [Int] = []
    var updates = 0
    var saved = 0
  }

  /// A correction that begins with nothing, or with what the file has.
  /// - Throws: `StoreError` or `ModelFileError`, naming file and field.
  public init(path: String? = nil, configuration: Configuration = Configuration()) throws {
    self.configuration = configuration
    self.path = path
    var state = State()
    if let path, FileManager.default.fileExists(atPath: path) {
      state = try Self.read(path, limit: configuration.rows)
    }
    self.state = Mutex(state)
  }

  private init(copying other: HeadAdaptation) {
    configuration = other.configuration
    path = nil
    state = Mutex(other.state.withLock { $0 })
  }

  /// The correction as it is now, in memory: no file hears of what it learns.
  public func copy() -> HeadAdaptation { HeadAdaptation(copying: self) }

  /// Refuses a model that it was not learned for; one that has learned nothing suits any.
  /// - Throws: `StoreError`.
  func check(hiddenSize: Int) throws {
    let known = state.withLock { $0.hidden }
    guard known == 0 || known == hiddenSize else {
      throw StoreError.malformed(
        path: path ?? "adaptation", field: "weights",
        expected: "rows of \(hiddenSize), the drafter's",
        found: "rows of \(known): it was learned for another one")
    }
  }

  /// Tokens that it has learned from.
  public var updates: Int { state.withLock { $0.updates } }
  /// Rows that it corrects.
  public var rowCount: Int { state.withLock { $0.tokens.count } }

  /// Corrects the logits that follow a state.
  /// - Parameter column: the place of a token in the row; nil for one that it does not have.
  func adjust(
    _ logits: UnsafeMutableBufferPointer<Float>, after hidden: UnsafeBufferPointer<Float>,
    column: (Int32) -> Int?
  ) {
    state.withLock { state in
      guard state.hidden == hidden.count else { return }
      state.weights.withUnsafeBufferPointer { weights in
        guard let base = weights.baseAddress, let input = hidden.baseAddress else { return }
        for (row, token) in state.tokens.enumerated() {
          guard let place = column(token), place < logits.count else { continue }
          logits[place] += Self.dot(base + row * hidden.count, input, hidden.count)
        }
      }
    }
  }

  /// Learns that the target wrote a token after a state.
  /// - Parameter logits: as the model gave them, corrections included.
  func learn(
    _ token: Int32, after hidden: UnsafeBufferPointer<Float>,
    logits: UnsafeBufferPointer<Float>, token name: (Int) -> Int32, column: (Int32) -> Int?
  ) {
    guard let own = column(token) else { return }
    var most = -Float.infinity
    for logit in logits { most = max(most, logit) }
    var sum: Float = 0
    for logit in logits { sum += exp(logit - most) }
    let floor = most + log(configuration.leastProbability * sum)
    var square: Float = 0
    for value in hidden { square += value * value }
    guard most.isFinite, square > 0, square.isFinite else { return }
    state.withLock { state in
      if state.hidden == 0 { state.hidden = hidden.count }
      guard state.hidden == hidden.count else { return }
      state.updates += 1
      for place in logits.indices where logits[place] > floor || place == own {
        let error = (place == own ? 1 : 0) - exp(logits[place] - most) / sum
        let row = self.row(of: name(place), &state)
        let step = configuration.rate * error / square
        for (index, value) in hidden.enumerated() {
          let weight = row * hidden.count + index
          state.weights[weight] = state.weights[weight] * configuration.retention + step * value
        }
      }
    }
  }

  private func row(of token: Int32, _ state: inout State) -> Int {
    if let row = state.places[token] {
      state.learned[row] = state.updates
      return row
    }
    if state.tokens.count < configuration.rows {
      state.places[token] = state.tokens.count
      state.tokens.append(token)
      state.learned.append(state.updates)
      state.weights += [Float](repeating: 0, count: state.hidden)
      return state.tokens.count - 1
    }
    let row = state.learned.indices.min { state.learned[$0] < state.learned[$1] } ?? 0
    state.places[state.tokens[row]] = nil
    state.places[token] = row
    state.tokens[row] = token
    state.learned[row] = state.updates
    for index in 0..<state.hidden { state.weights[row * state.hidden + index] = 0 }
    return row
  }

  private static func dot(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int
  ) -> Float {
    var sums = SIMD8<Float>(repeating: 0)
    let whole = count / 8 * 8
    for index in stride(from: 0, to: whole, by: 8) {
      let (x, y) = (UnsafeRawPointer(a + index), UnsafeRawPointer(b + index))
      sums += x.loadUnaligned(as: SIMD8<Float>.self) * y.loadUnaligned(as: SIMD8<Float>.self)
    }
    var sum = sums.sum()
    for index in whole..<count { sum += a[index] * b[index] }
    return sum
  }

  // MARK: - The file

  /// Writes the file, if there is one and anything new; under another name first.
  /// - Throws: `ModelFileError`.
  public func save() throws {
    guard let path else { return }
    let copy = state.withLock { state -> State? in
      guard state.updates > state.saved, state.hidden > 0 else { return nil }
      state.saved = state.updates
      return state
    }
    guard let copy else { return }
    let writer = try SafetensorsWriter(
      path: path,
      tensors: [
        TensorInfo(name: "weights", type: .f32, shape: [copy.tokens.count, copy.hidden]),
        TensorInfo(name: "tokens", type: .i32, shape: [copy.tokens.count]),
      ], metadata: ["updates": "\(copy.updates)"])
    try writer.append(copy.weights, to: "weights")
    try writer.append(copy.tokens, to: "tokens")
    try writer.finish()
  }

  private static func read(_ path: String, limit: Int) throws -> State {
    let file = try SafetensorsFile(path: path)
    func malformed(_ field: String, _ expected: String, _ found: String) -> StoreError {
      .malformed(path: path, field: field, expected: expected, found: found)
    }
    guard let weights = file.tensors["weights"], weights.type == .f32, weights.shape.count == 2,
      let tokens = file.tensors["tokens"], tokens.type == .i32,
      tokens.shape == [weights.shape[0]]
    else {
      throw malformed(
        "tensors", "weights F32 (rows, hidden) and tokens I32 (rows)",
        file.tensors.values.map { "\($0.name) \($0.type.name) \($0.shape)" }.sorted()
          .joined(separator: ", "))
    }
    var state = State()
    let rows = min(weights.shape[0], limit)
    state.hidden = weights.shape[1]
    state.updates = file.metadata["updates"].flatMap { Int($0) } ?? 0
    state.saved = state.updates
    let (data, names) = (try file.data(of: "weights"), try file.data(of: "tokens"))
    for row in 0..<rows {
      let token = names.loadUnaligned(fromByteOffset: row * 4, as: Int32.self)
      guard token >= 0, state.places[token] == nil else {
        throw malformed("tokens", "each token once, from 0 up", "\(token)")
      }
      state.places[token] = row
      state.tokens.append(token)
    }
    state.weights = (0..<rows * state.hidden).map {
      data.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self)
    }
    if state.weights.contains(where: { !$0.isFinite }) {
      throw malformed("weights", "finite numbers", "others")
    }
    state.learned = state.tokens.map { _ in 0 }
    return state
  }
}
