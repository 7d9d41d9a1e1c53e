import Foundation
import Testing

@testable import Drafters

@Suite struct FrequentTokensTests {
  private let frequent = FrequentTokens(counts: [10, 0, 50, 30, 10, 0, 0, 100])

  @Test("tokens stand in the order of their counts, the lower first on ties")
  func order() {
    #expect(frequent.tokens == [7, 2, 3, 0, 4])
    #expect(frequent.counts == [100, 50, 30, 10, 10])
    #expect(frequent.total == 200 && frequent.vocabularySize == 8)
  }

  @Test("a cut is as small as its share of the text allows")
  func coverage() {
    #expect(frequent.size(covering: 0) == 0)
    #expect(frequent.size(covering: 0.5) == 1)
    #expect(frequent.size(covering: 0.51) == 2)
    #expect(frequent.size(covering: 0.9) == 3)
    #expect(frequent.size(covering: 1) == 5)
    for size in 0...5 { #expect(frequent.size(covering: frequent.coverage(of: size)) == size) }
    #expect(frequent.coverage(of: 99) == 1)
  }

  @Test("coverage of other text counts its tokens among those kept")
  func held() {
    let cut = frequent.prefix(2)
    #expect(cut.tokens == [7, 2])
    #expect(cut.coverage(of: [7, 7, 2, 3, 1, 99, -1, 0]) == 0.375)
    #expect(cut.coverage(of: [] as [Int32]) == 0)
    #expect(cut.coverage(of: 2) == 0.75)
  }

  @Test("tokens that must stay take the place of the least frequent")
  func always() {
    #expect(frequent.prefix(3, always: [5, 4]).tokens == [7, 4, 5])
    #expect(frequent.prefix(1, always: [1, 5]).tokens == [1, 5])
    #expect(frequent.prefix(3, always: [77, -3]).tokens == [7, 2, 3])
  }

  @Test("a file gives back what was written, and faults in it are named")
  func file() throws {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("\(UUID()).json").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try frequent.write(to: path)
    #expect(try FrequentTokens(path: path, vocabularySize: 8) == frequent)
    #expect(
      throws: StoreError.malformed(
        path: path, field: "vocabularySize", expected: "9", found: "8")
    ) { try FrequentTokens(path: path, vocabularySize: 9) }
    for (text, field) in [
      (#"{"vocabularySize":4,"total":5,"tokens":[1,1],"counts":[3,2]}"#, "tokens"),
      (#"{"vocabularySize":4,"total":5,"tokens":[1,4],"counts":[3,2]}"#, "tokens"),
      (#"{"vocabularySize":4,"total":5,"tokens":[],"counts":[]}"#, "tokens"),
      (#"{"vocabularySize":4,"total":5,"tokens":[1,2],"counts":[3]}"#, "counts"),
      (#"{"vocabularySize":4,"total":5,"tokens":[1,2],"counts":[3,9]}"#, "counts"),
      (#"{"vocabularySize":4,"tokens":[1,2],"counts":[3,2]}"#, "total"),
      (#"{"vocabularySize":4,"total":5,"tokens":"1","counts":[3,2]}"#, "tokens"),
    ] {
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      #expect {
        try FrequentTokens(path: path, vocabularySize: 4)
      } throws: { error in
        guard case StoreError.malformed(path, let found, _, _) = error else { return false }
        return found == field
      }
    }
    #expect(throws: StoreError.self) {
      try FrequentTokens(path: path + ".none", vocabularySize: 4)
    }
  }
}
