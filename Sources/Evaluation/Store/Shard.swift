/// One of several equal parts of a suite: questions that one machine asks of those that all do.
public struct Shard: Sendable, Equatable {
  /// From 1 to `count`.
  public var index: Int
  public var count: Int

  /// - Parameter text: `2/8`.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let index = parts[0], let count = parts[1], count >= 1,
      (1...count).contains(index)
    else { return nil }
    self.index = index
    self.count = count
  }

  /// The shard's questions, each with its number in the whole suite.
  public func questions(of all: [Question]) -> [(number: Int, question: Question)] {
    all.enumerated().filter { $0.offset % count == index - 1 }.map { ($0.offset, $0.element) }
  }

  /// Everything.
  public static let whole = Shard(index: 1, count: 1)

  private init(index: Int, count: Int) {
    self.index = index
    self.count = count
  }
}
