/// A draft model that depends on the text so far by more than its cache: it is told before each draft.
protocol TextFollowing: AnyObject {
  /// - Parameter text: all tokens so far, in the model's vocabulary.
  func follow(_ text: [Int32]) throws
}
