import LanguageModels

/// A model's cache, and what is in it: brought to any sequence by computing only what is new.
final class ModelSequence<Model: LanguageModel> {
  let model: Model
  let capacity: Int
  private let cache: Model.Cache
  /// The tokens in `cache`.
  private var cached: [Int32] = []

  /// Rows of one pass over tokens not yet seen, as the generator's own.
  private let chunk = 512

  /// - Parameter capacity: the most tokens; at most the model's context is used.
  init(model: Model, capacity: Int) throws {
    self.model = model
    self.capacity = min(capacity, model.contextLength)
    cache = try model.makeCache(capacity: self.capacity)
  }

  /// Computes a sequence without its last token, which `logits(after:)` computes with the next.
  func prepare(_ tokens: [Int32]) throws {
    guard tokens.count <= capacity else { return }
    _ = try catchUp(with: tokens.dropLast(), logits: .none)
  }

  /// The logits of the token that follows; nil when the sequence is empty, does not fit, or has a
  /// token that the model lacks.
  func logits(after tokens: [Int32]) throws -> UnsafeMutableBufferPointer<Float>? {
    guard tokens.count <= capacity else { return nil }
    return try catchUp(with: tokens[...], logits: .last)
  }

  private func catchUp(
    with tokens: ArraySlice<Int32>, logits: LogitRows
  ) throws -> UnsafeMutableBufferPointer<Float>? {
    let limit = logits == .none ? tokens.count : tokens.count - 1
    var start = zip(cached, tokens.prefix(max(0, limit))).prefix { $0 == $1 }.count
    cache.truncate(to: start)
    cached.removeSubrange(start...)
    guard model.knows(tokens[start...]) else { return nil }
    var last: UnsafeMutableBufferPointer<Float>?
    while start < tokens.count {
      let end = min(start + chunk, tokens.count)
      let rows = Array(tokens[start..<end])
      let output = try model.forward(
        chain: rows, cache: cache, logits: end == tokens.count ? logits : .none)
      cache.commit(path: Array(rows.indices))
      cached.append(contentsOf: rows)
      if end == tokens.count && logits == .last { last = output.logits[0] }
      start = end
    }
    return last
  }
}

extension LanguageModel {
  /// Whether the model has all of the tokens. Models of one vocabulary pad it to different sizes,
  /// and a target may write what stands for nothing.
  func knows(_ tokens: some Sequence<Int32>) -> Bool {
    tokens.allSatisfy { $0 >= 0 && Int($0) < vocabularySize }
  }
}
