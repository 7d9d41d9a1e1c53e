/// A growing sequence of one vocabulary's tokens written in another's.
///
/// Only the end of the text, from where its tokens may still change, is encoded again when the
/// sequence grows. A special token becomes the one of the same name, or else plain text.
struct Translation {
  private let source: any TextVocabulary
  private let destination: any TextVocabulary
  /// For each source token the special one of the same name, or -1; nil when both are the same
  /// vocabulary.
  private let counterparts: [Int32]?
  private var sequence: [Int32] = []
  private var settled = 0

  /// The sequence in the destination's tokens.
  private(set) var tokens: [Int32] = []
  /// The end of the text as far as its tokens may still change; it begins with a token.
  private(set) var openText: [UInt8] = []

  /// Longer ends are cut at a token: text without blanks must not cost more and more.
  private static let longestOpenText = 512

  /// - Parameter counterparts: for each source token the destination's, or -1; nil between a
  ///   vocabulary and itself.
  init(
    from source: any TextVocabulary, to destination: any TextVocabulary, counterparts: [Int32]?
  ) {
    self.source = source
    self.destination = destination
    self.counterparts = counterparts
  }

  /// Takes on a longer version of the sequence, or another one, which starts anew.
  mutating func update(to new: [Int32]) {
    if !new.starts(with: sequence) || sequence.isEmpty {
      (sequence, settled, openText) = ([], 0, [])
      // Each model's texts begin as it knows them.
      let prefix = source.prefix
      if new.starts(with: prefix) { sequence = prefix }
      tokens = destination.prefix
      settled = tokens.count
    }
    guard new.count > sequence.count else { return }
    for token in new[sequence.count...] {
      switch source.kind(of: token) {
      case .text: source.appendBytes(of: token, to: &openText)
      case .special:
        let twin = counterparts.map { $0[Int(token)] } ?? token
        if twin >= 0 {
          encodeOpenText()
          tokens.append(twin)
          settled = tokens.count
          openText.removeAll(keepingCapacity: true)
        } else {
          source.appendBytes(of: token, to: &openText)
        }
      case .unusable: break
      }
    }
    sequence = new
    settle(encodeOpenText())
  }

  /// Makes `tokens` end with those of the open text.
  @discardableResult
  private mutating func encodeOpenText() -> TextEncoding {
    tokens.removeSubrange(settled...)
    return destination.encode(openText, to: &tokens)
  }

  private mutating func settle(_ encoding: TextEncoding) {
    var (bytes, count) = (encoding.settledBytes, encoding.settledTokens)
    if openText.count - bytes > Self.longestOpenText {
      (bytes, count) = (0, 0)
      var token: [UInt8] = []
      while bytes < openText.count - Self.longestOpenText / 2, settled + count < tokens.count {
        token.removeAll(keepingCapacity: true)
        destination.appendBytes(of: tokens[settled + count], to: &token)
        bytes += token.count
        count += 1
      }
    }
    settled += count
    openText.removeFirst(min(bytes, openText.count))
  }
}
