import Sampling
import Testing

@testable import Nunchi

/// What is shown of text that comes in pieces of one to four scalars.
private func shown(_ text: String, stops: [String], seed: UInt64) throws -> (String, Bool) {
  var finder = try StopStrings(stops)
  var rest = Array(text.unicodeScalars)[...]
  var shown = ""
  var step = 0
  while !rest.isEmpty {
    let count = 1 + Int(KeyedRandom(seed: seed).uniform(position: step, stream: .target) * 4)
    var piece = String.UnicodeScalarView()
    piece.append(contentsOf: rest.prefix(count))
    let (safe, stopped) = finder.append(String(piece))
    shown += safe
    if stopped { return (shown, true) }
    rest = rest.dropFirst(count)
    step += 1
  }
  return (shown + finder.finish(), false)
}

@Suite struct StopStringsTests {
  @Test(
    "text is cut exactly before a stop string, however the pieces fall",
    arguments: [
      ("Hello.\n\nUser: no", ["\n\nUser:", "\nUser:"], "Hello."),
      ("aaaab", ["aab"], "aa"),
      ("abcabd", ["abd"], "abc"),
      ("눈치는 한국어 말입니다.", ["한국어"], "눈치는 "),
      ("stop", ["stop"], ""),
      ("e\u{301}x", ["\u{301}"], "e"),
    ])
  func cut(text: String, stops: [String], expected: String) throws {
    for seed in 0..<20 as Range<UInt64> {
      let (found, stopped) = try shown(text, stops: stops, seed: seed)
      #expect(Array(found.unicodeScalars) == Array(expected.unicodeScalars) && stopped)
    }
  }

  @Test("text without a stop string comes out whole", arguments: ["", "abab", "눈치 눈", "<|im_"])
  func whole(text: String) throws {
    for seed in 0..<20 as Range<UInt64> {
      let (found, stopped) = try shown(text, stops: ["abc", "눈치는", "<|im_end|>"], seed: seed)
      #expect(found == text && !stopped)
    }
  }

  @Test("only what may begin a stop string is held back")
  func heldBack() throws {
    var finder = try StopStrings(["xyz"])
    #expect(finder.append("abx") == ("ab", false))
    #expect(finder.append("ya") == ("xya", false))
    #expect(finder.append("xy") == ("", false))
    #expect(finder.append("z") == ("", true))
    var none = try StopStrings()
    #expect(none.append("x") == ("x", false))
  }

  @Test("an empty stop string is refused")
  func empty() {
    #expect(throws: NunchiError.emptyStopString) { try StopStrings(["a", ""]) }
  }
}
