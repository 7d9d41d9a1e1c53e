import Testing

@testable import Tokenization

struct StreamingTests {
  private func check(_ ids: [Int32], _ tokenizer: Tokenizer, skipSpecial: Bool = true) {
    var stream = StreamingDetokenizer(tokenizer: tokenizer, skipSpecial: skipSpecial)
    var parts: [String] = []
    for id in ids { parts.append(stream.append(id)) }
    parts.append(stream.finish())
    let whole = tokenizer.decode(ids, skipSpecial: skipSpecial)
    #expect(Array(parts.joined().utf8) == Array(whole.utf8))
  }

  @Test("Every prefix of Korean and emoji streams as it decodes", arguments: Goldens.cached)
  func prefixes(model: Goldens.Model) throws {
    let tokenizer = try model.tokenizer()
    let text = "뷁쀍 눈치 👨‍👩‍👧‍👦 훿힣 漢字 🏳️‍🌈\u{10FFFF} é"
    let ids = tokenizer.encode(text)
    for count in 0...ids.count { check(Array(ids.prefix(count)), tokenizer) }
    for start in ids.indices { check(Array(ids[start...]), tokenizer) }
  }

  @Test("No part ends inside a character", arguments: Goldens.cached)
  func wholeCharacters(model: Goldens.Model) throws {
    let tokenizer = try model.tokenizer()
    var stream = StreamingDetokenizer(tokenizer: tokenizer)
    var heldBack = false
    for id in tokenizer.encode("뷁쀍뙗껣훿힣 🫠🫨🩷 𪚥龘靐", addSpecial: false) {
      let part = stream.append(id)
      #expect(!part.unicodeScalars.contains("\u{FFFD}"))
      heldBack = heldBack || part.isEmpty
    }
    #expect(heldBack, "no token ended inside a character: the test shows nothing")
    #expect(stream.finish().isEmpty)
  }

  @Test("Random tokens, broken bytes among them, stream as they decode", arguments: Goldens.cached)
  func randomTokens(model: Goldens.Model) throws {
    let tokenizer = try model.tokenizer()
    // Tokens of single bytes above ASCII, in any order, are nearly always broken.
    let bytes = (0..<Int32(tokenizer.vocabularySize)).filter {
      let bytes = tokenizer.bytes(of: $0)
      return bytes.count == 1 && bytes[0] >= 0x80
    }
    #expect(bytes.count >= 100)
    var generator = SplitMix(state: 1)
    for _ in 0..<400 {
      let ids = (0..<12).map { _ in
        Bool.random(using: &generator)
          ? bytes.randomElement(using: &generator) ?? 0
          : Int32.random(in: -2..<Int32(tokenizer.vocabularySize + 2), using: &generator)
      }
      check(ids, tokenizer, skipSpecial: Bool.random(using: &generator))
    }
  }

  @Test("All strings of up to four odd bytes are held back exactly as long as they may complete")
  func everyTail() {
    let samples: [UInt8] = [
      0x41, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xE1, 0xED, 0xF0, 0xF1, 0xF4,
      0xF5,
    ]
    for one in samples {
      for two in samples {
        for three in samples {
          for four in samples {
            let bytes = [one, two, three, four]
            let tail = StreamingDetokenizer.incompleteTail(bytes)
            let head = String(decoding: bytes.dropLast(tail), as: UTF8.self)
            let rest = String(decoding: bytes.suffix(tail), as: UTF8.self)
            #expect(head + rest == String(decoding: bytes, as: UTF8.self), "\(bytes)")
          }
        }
      }
    }
  }

  @Test("Llama 2's leading space is stripped at the start of a text, and kept within one")
  func leadingSpace() throws {
    let tokenizer = try Goldens.tinyTokenizer("llama2")
    let ids = tokenizer.encode("the fox", addSpecial: false)
    #expect(tokenizer.decode(ids) == "the fox")
    check(ids, tokenizer)
    var stream = StreamingDetokenizer(tokenizer: tokenizer, continuing: true)
    let text = ids.map { stream.append($0) }.joined() + stream.finish()
    #expect(text == " the fox")
  }
}
