import Testing

@testable import Tokenization

/// Languages, signs and blanks in every neighbourhood.
private let mixed = """
  It's   9 o'clock, they'll say:\n\n\n    def f(x):\r\n\t\treturn x + 12345  # half  \u{3000} \
  안녕하세요. 눈치는 빠르다!  한글 뷁쀍뙗 \u{1112}\u{1161}\u{11AB}\u{1100}\u{1173}\u{11AF} ㅋㅋ ㅠㅠ\n\
  東京は日本の首都です。👩‍👩‍👧‍👦🏳️‍🌈 e\u{301}é \u{A0}x\n \n  \n𠮷野家 مرحبا 'tis {}}\n\n ({[<|im_end|>
  """

struct FragmentTests {
  private func encode(
    _ bytes: some Collection<UInt8>, _ tokenizer: Tokenizer
  ) -> (tokens: [Int32], encoding: FragmentEncoding) {
    var tokens: [Int32] = []
    let encoding = Array(bytes).withUnsafeBufferPointer {
      tokenizer.encode(fragment: $0, to: &tokens)
    }
    return (tokens, encoding)
  }

  @Test("A whole text has the same tokens as a fragment", arguments: Goldens.cached)
  func wholeTexts(model: Goldens.Model) throws {
    let tokenizer = try model.tokenizer()
    var compared = 0
    for text in try Goldens.texts().compactMap(\.text) + [mixed] {
      let plain = tokenizer.encode(text, addSpecial: false, parseSpecial: false)
      // A fragment keeps the form that it has.
      guard plain.flatMap(tokenizer.bytes(of:)) == Array(text.utf8) else { continue }
      #expect(encode(text.utf8, tokenizer).tokens == plain, "\(text)")
      compared += 1
    }
    #expect(compared > 20)
  }

  @Test(
    "Settled tokens stay, whatever follows, wherever the text is cut", arguments: Goldens.cached)
  func settled(model: Goldens.Model) throws {
    let tokenizer = try model.tokenizer()
    let text = Array(mixed.utf8)
    let whole = encode(text, tokenizer).tokens
    var settledBytes = 0
    for end in 0...text.count {
      let (tokens, encoding) = encode(text[..<end], tokenizer)
      #expect(tokens.flatMap(tokenizer.bytes(of:)) == Array(text[..<end]))
      let settled = tokens.prefix(encoding.settledTokens)
      #expect(settled.elementsEqual(whole.prefix(encoding.settledTokens)), "\(end)")
      #expect(settled.flatMap(tokenizer.bytes(of:)).count == encoding.settledBytes)
      // From there on, the rest is encoded as if all of the text were.
      let rest = encode(text[encoding.settledBytes...], tokenizer).tokens
      #expect(Array(settled) + rest == whole, "\(end)")
      // The end of a character never comes before its beginning.
      let tail = StreamingDetokenizer.incompleteTail(Array(text[..<end]))
      #expect(encoding.wholeBytes == end - tail)
      settledBytes += encoding.settledBytes
    }
    #expect(settledBytes > text.count * text.count / 4, "hardly anything is ever settled")
  }

  @Test("Broken bytes are kept as they are", arguments: Goldens.cached)
  func brokenBytes(model: Goldens.Model) throws {
    let tokenizer = try model.tokenizer()
    var generator = SplitMix(state: 7)
    // SmolLM2 lacks the bytes that no text has.
    let known = Set(
      (0..<Int32(tokenizer.vocabularySize)).map(tokenizer.bytes(of:)).filter { $0.count == 1 }
        .map { $0[0] })
    for round in 0..<500 {
      // From Korean text, with bytes taken out or made random.
      var bytes = Array("한국어 텍스트, 가각 abc 😀 12".utf8.prefix(10 + round % 30))
      for _ in 0..<(round % 5) {
        let index = Int.random(in: bytes.indices, using: &generator)
        bytes[index] = known.randomElement(using: &generator) ?? 0x80
      }
      let (tokens, _) = encode(bytes.dropFirst(round % 4), tokenizer)
      #expect(tokens.flatMap(tokenizer.bytes(of:)) == Array(bytes.dropFirst(round % 4)))
    }
  }

  @Test("Control tokens written in a fragment are plain text")
  func controlTokens() throws {
    for model in Goldens.cached {
      let tokenizer = try model.tokenizer()
      let (tokens, _) = encode("a<|im_end|><eos>b".utf8, tokenizer)
      #expect(tokens.allSatisfy { tokenizer.type(of: $0) != .control })
    }
  }
}
