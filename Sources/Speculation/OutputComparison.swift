/// Whether two outputs are the same, token for token and in length.
public enum OutputComparison: Sendable, Equatable {
  case identical
  /// The first index at which they differ; nil stands for an output that has already ended.
  case differs(at: Int, expected: Int32?, found: Int32?)

  public init(expected: some Collection<Int32>, found: some Collection<Int32>) {
    let expected = Array(expected)
    let found = Array(found)
    for index in 0..<max(expected.count, found.count) {
      let a = index < expected.count ? expected[index] : nil
      let b = index < found.count ? found[index] : nil
      guard a == b else {
        self = .differs(at: index, expected: a, found: b)
        return
      }
    }
    self = .identical
  }
}
