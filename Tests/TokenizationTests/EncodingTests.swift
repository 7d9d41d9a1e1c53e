import Foundation
import Testing

@testable import Tokenization

struct EncodingTests {
  @Test("Ids equal those of transformers, for every text and model", arguments: Goldens.cached)
  func idsOfRealModels(model: Goldens.Model) throws {
    let tokenizer = try model.tokenizer()
    let expected = try Goldens.decode("ids-\(model.name).json", as: [[Int32]].self)
    let texts = try Goldens.texts()
    #expect(texts.count >= 300 && texts.count == expected.count)
    for (entry, ids) in zip(texts, expected) {
      let found = tokenizer.encode(bytes: entry.bytes, addSpecial: false)
      #expect(found == ids, "\(String(decoding: entry.bytes, as: UTF8.self).debugDescription)")
    }
  }

  @Test("Small tokenizer.json files of every kind give transformers' ids", arguments: Goldens.tiny)
  func idsOfSmallTokenizers(name: String) throws {
    let tokenizer = try Goldens.tinyTokenizer(name)
    let expected = try Goldens.decode("ids-tiny-\(name).json", as: [[Int32]].self)
    let texts = try Goldens.texts()
    for (number, ids) in expected.enumerated() {
      let bytes = texts[3 * number].bytes
      #expect(
        tokenizer.encode(bytes: bytes) == ids,
        "\(String(decoding: bytes, as: UTF8.self).debugDescription)")
    }
  }

  private struct AddedTokens: Decodable {
    struct Changes: Decodable { var ids: [[Int32]] }
    var texts: [String]
    var tokenizers: [String: Changes]
  }

  @Test(
    "Added tokens of every kind are found where tokenizers finds them",
    arguments: ["gpt2", "nfc", "llama2", "metaspace", "gemma"])
  func addedTokens(kind: String) throws {
    let goldens = try Goldens.decode("added.json", as: AddedTokens.self)
    let expected = try #require(goldens.tokenizers[kind]).ids
    // The changes to a small tokenizer's file, as they stand.
    let all = try #require(
      try JSONSerialization.jsonObject(with: Goldens.data("added.json")) as? [String: Any])
    let changes = try #require((all["tokenizers"] as? [String: [String: Any]])?[kind])
    let base = try Goldens.data("tiny-\(kind == "nfc" ? "gpt2" : kind).json")
    var file = try #require(try JSONSerialization.jsonObject(with: base) as? [String: Any])
    for key in ["normalizer", "added_tokens"] { file[key] = changes[key] }
    let tokenizer = try Tokenizer(
      tokenizerJSON: JSONSerialization.data(withJSONObject: file), tokenizerConfig: nil)
    #expect(expected.count == goldens.texts.count && expected.count > 20)
    for (text, ids) in zip(goldens.texts, expected) {
      #expect(tokenizer.encode(text) == ids, "\(text.debugDescription)")
    }
  }

  @Test("A tokenizer.json with a real vocabulary gives the same ids as the GGUF file")
  func jsonAndGGUFAgree() throws {
    let tokenizer = try Goldens.smollm.tokenizer()
    let fromJSON = try Tokenizer(
      tokenizerJSON: Self.publishedForm(of: tokenizer.description), tokenizerConfig: nil)
    for entry in try Goldens.texts() {
      #expect(fromJSON.encode(bytes: entry.bytes) == tokenizer.encode(bytes: entry.bytes))
    }
  }

  /// The file that SmolLM2 is published with, made from what its GGUF file says.
  private static func publishedForm(of description: TokenizerDescription) throws -> Data {
    func quoted(_ text: String) throws -> String {
      String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
    }
    let vocabulary = try description.pieces.indices.map {
      "\(try quoted(description.pieces.text($0))):\($0)"
    }
    let merges = try stride(from: 0, to: description.merges.count, by: 2).map {
      let (left, right) = (description.merges.text($0), description.merges.text($0 + 1))
      return "[\(try quoted(left)),\(try quoted(right))]"
    }
    let added = try description.addedTokens.map {
      "{\"id\":\($0.id),\"content\":\(try quoted(description.pieces.text(Int($0.id)))),\"special\":true}"
    }
    return Data(
      """
      {"added_tokens":[\(added.joined(separator: ","))],"normalizer":null,
      "pre_tokenizer":{"type":"Sequence","pretokenizers":[
      {"type":"Digits","individual_digits":true},
      {"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]},
      "model":{"type":"BPE","vocab":{\(vocabulary.joined(separator: ","))},
      "merges":[\(merges.joined(separator: ","))]}}
      """.utf8)
  }

  @Test("Decoding gives back every text that is in normal form", arguments: Goldens.cached)
  func decodingInverts(model: Goldens.Model) throws {
    let tokenizer = try model.tokenizer()
    for entry in try Goldens.texts() {
      // SmolLM2's vocabulary has no token for the byte 0x1D.
      guard let text = entry.text, !text.unicodeScalars.contains("\u{1D}") else { continue }
      let ids = tokenizer.encode(text, addSpecial: false)
      let decoded = tokenizer.decode(ids, skipSpecial: false)
      if model.name == "qwen2.5" {
        var original = text
        let normalized = original.withUTF8(NormalizationFormC.normalize)
        #expect(Array(decoded.utf8) == Array(normalized.utf8))
      } else if !text.contains("▁") {
        // Gemma writes spaces as ▁ and cannot tell the two apart.
        #expect(Array(decoded.utf8) == Array(text.utf8))
      }
    }
  }

  @Test("Text is brought to form C as Unicode says, where Foundation does not")
  func formC() {
    for (text, expected) in [
      ("\u{AC00}\u{11A8}", "\u{AC01}"), ("\u{AC00}\u{11A7}e\u{301}", "\u{AC00}\u{11A7}\u{E9}"),
      ("\u{F73}\u{F75}", "\u{F71}\u{F71}\u{F72}\u{F74}"), ("q\u{307}\u{323}", "q\u{323}\u{307}"),
      ("\u{212B}", "\u{C5}"), ("\u{958}", "\u{915}\u{93C}"), ("", ""),
    ] {
      var text = text
      let found = text.withUTF8(NormalizationFormC.normalize)
      #expect(Array(found.unicodeScalars) == Array(expected.unicodeScalars))
    }
  }

  @Test("Special tokens in the text are tokens only when asked for")
  func specialTokens() throws {
    let tokenizer = try Goldens.smollm.tokenizer()
    let text = "<|im_start|>user\nHi<|im_end|>"
    let parsed = tokenizer.encode(text)
    #expect(parsed.first == 1 && parsed.last == 2)
    let plain = tokenizer.encode(text, parseSpecial: false)
    #expect(!plain.contains(1) && !plain.contains(2))
    #expect(tokenizer.decode(plain) == text)
    #expect(tokenizer.decode(parsed) == "user\nHi")
    #expect(tokenizer.decode(parsed, skipSpecial: false) == text)
    // <|endoftext|>, <|im_end|>, and <reponame>, where another file begins.
    #expect(tokenizer.endOfGeneration == [0, 2, 4])
    #expect(tokenizer.piece(of: 253).isEmpty == false && tokenizer.piece(of: -1).isEmpty)
    #expect(tokenizer.bytes(of: 49_152).isEmpty)
  }

  @Test(
    "Gemma's texts begin with <bos> when special tokens are added",
    .enabled(if: Goldens.gemma.isCached))
  func gemmaAddsBOS() throws {
    let tokenizer = try Goldens.gemma.tokenizer()
    #expect(tokenizer.encode("") == [2])
    #expect(tokenizer.encode("a").first == 2 && tokenizer.encode("a").count == 2)
    #expect(tokenizer.endOfGeneration == [1, 106])
  }

  @Test(
    "Words without end take time in proportion, for every algorithm",
    arguments: Goldens.tiny)
  func longWords(name: String) throws {
    let tokenizer = try Goldens.tinyTokenizer(name)
    let word = String(repeating: "thequickbrown", count: 20_000)
    // Of this thread alone: the machine may be busy.
    let start = nanoseconds(CLOCK_THREAD_CPUTIME_ID)
    let ids = tokenizer.encode(word)
    #expect(nanoseconds(CLOCK_THREAD_CPUTIME_ID) - start < 5_000_000_000)
    #expect(tokenizer.decode(ids) == word)
  }

  @Test("The queue for long words merges as the scan for short ones", arguments: Goldens.tiny)
  func queueEqualsScan(name: String) throws {
    let tokenizer = try Goldens.tinyTokenizer(name)
    var generator = SplitMix(state: 7)
    for _ in 0..<300 {
      let count = Int.random(in: 50...200, using: &generator)
      // Few letters, so that there is much to merge, in conflict.
      let word = (0..<count).map { _ in
        ["t", "h", "e", "in"].randomElement(using: &generator) ?? ""
      }
      let text = Array(word.joined().utf8)
      let (fast, slow) = text.withUnsafeBufferPointer { bytes in
        (Self.merge(bytes, tokenizer, long: true), Self.merge(bytes, tokenizer, long: false))
      }
      #expect(fast == slow)
    }
  }

  /// The ids of a word of ASCII by the queue, or by looking at all pairs each time.
  private static func merge(
    _ word: UnsafeBufferPointer<UInt8>, _ tokenizer: Tokenizer, long: Bool
  ) -> [Int32] {
    guard case .ranked(let merges) = tokenizer.model.merges else { return [] }
    var symbols = word.enumerated().map { offset, byte in
      Symbol(
        id: tokenizer.model.index.id(of: [byte]) ?? -1, start: Int32(offset), length: 1)
    }
    if long {
      var buffers = MergeBuffers()
      buffers.symbols = symbols
      merges.merge(word, &buffers)
      return buffers.symbols.map(\.id)
    }
    while true {
      var best: (priority: UInt64, index: Int, id: Int32)?
      for index in symbols.indices.dropLast() where symbols[index].id >= 0 {
        guard symbols[index + 1].id >= 0 else { continue }
        let pair = merges.candidate(
          left: symbols[index].id, right: symbols[index + 1].id, bytes: word)
        if pair.priority < (best?.priority ?? .max) { best = (pair.priority, index, pair.id) }
      }
      guard let best else { return symbols.map(\.id) }
      symbols[best.index].id = best.id
      symbols.remove(at: best.index + 1)
    }
  }
}

/// Nanoseconds of a clock.
private func nanoseconds(_ clock: clockid_t) -> Int {
  var time = timespec()
  clock_gettime(clock, &time)
  return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Random numbers that are the same every time.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
