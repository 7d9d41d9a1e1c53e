import Drafters
import Synchronization
import Tokenization

/// A tokenizer as drafting across vocabularies sees it.
struct TokenizerVocabulary: TextVocabulary {
  let tokenizer: Tokenizer
  let prefix: [Int32]

  init(_ tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
    prefix = tokenizer.encode("")
  }

  var size: Int { tokenizer.vocabularySize }

  func kind(of token: Int32) -> TextTokenKind {
    switch tokenizer.type(of: token) {
    case .normal, .userDefined, .byte: .text
    case .control: .special
    case .unknown, .unused, nil: .unusable
    }
  }

  func appendBytes(of token: Int32, to bytes: inout [UInt8]) {
    bytes += tokenizer.bytes(of: token)
  }

  func encode(_ text: [UInt8], to tokens: inout [Int32]) -> TextEncoding {
    let encoding = text.withUnsafeBufferPointer {
      tokenizer.encode(fragment: $0, to: &tokens)
    }
    return TextEncoding(
      settledBytes: encoding.settledBytes, settledTokens: encoding.settledTokens,
      wholeBytes: encoding.wholeBytes)
  }
}

extension Model {
  /// What this target's vocabulary and a draft model's have in common. Built once for the last
  /// draft model asked for.
  public func vocabularyBridge(to draft: Model) -> VocabularyBridge {
    bridge.withLock { known in
      if let known, known.draft === draft.tokenizer { return known.bridge }
      let new = VocabularyBridge(
        target: TokenizerVocabulary(tokenizer), draft: TokenizerVocabulary(draft.tokenizer))
      known = (draft.tokenizer, new)
      return new
    }
  }
}
