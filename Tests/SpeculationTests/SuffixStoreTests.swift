import Foundation
import LanguageModels
import Sampling
import Speculation
import Testing

@testable import Drafters

@Suite struct SuffixStoreTests {
  private static func withPath(_ body: (String) throws -> Void) throws {
    let path = NSTemporaryDirectory() + "/nunchi-\(UUID().uuidString).store"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
  }

  @Test("outputs are there in the next run, the oldest leave first, and the file is bounded")
  func bound() throws {
    try Self.withPath { path in
      let outputs = (0..<40).map { index in (0..<10).map { Int32(index * 10 + $0) } }
      for output in outputs {
        let store = try SuffixStore(path: path, vocabulary: 7, capacity: 100)
        try store.append(output)
        let size = try Data(contentsOf: URL(fileURLWithPath: path)).count
        #expect(size <= 24 + 12 * (16 + 40))
      }
      let kept = try SuffixStore(path: path, vocabulary: 7, capacity: 100).outputs
      #expect(kept.count >= 8 && kept == Array(outputs.suffix(kept.count)))
      #expect(throws: StoreError.otherVocabulary(path: path)) {
        try SuffixStore(path: path, vocabulary: 8)
      }
    }
  }

  @Test("a copy begins with what the store has, and neither it nor the file hears of what is added")
  func copy() throws {
    try Self.withPath { path in
      let store = try SuffixStore(path: path, vocabulary: 7)
      try store.append([1, 2, 3])
      let before = try Data(contentsOf: URL(fileURLWithPath: path))
      let copy = store.copy()
      try copy.append([4, 5])
      #expect(copy.outputs == [[1, 2, 3], [4, 5]])
      #expect(store.outputs == [[1, 2, 3]])
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
      try store.append([6])
      #expect(copy.outputs.count == 2)
    }
  }

  @Test("a write torn at any byte loses that output and no other, before or after")
  func torn() throws {
    let outputs: [[Int32]] = [[1, 2, 3], [4, 5], [6, 7, 8, 9]]
    let header = StoreFile.header(vocabulary: 7)
    let first = header + StoreFile.record(outputs[0])
    let second = StoreFile.record(outputs[1])
    try Self.withPath { path in
      for cut in second.indices {
        try Data(first + second.prefix(cut)).write(to: URL(fileURLWithPath: path))
        let store = try SuffixStore(path: path, vocabulary: 7)
        #expect(store.outputs == [outputs[0]])
        try store.append(outputs[2])
        let next = try SuffixStore(path: path, vocabulary: 7)
        #expect(next.outputs == [outputs[0], outputs[2]])
      }
      for byte in second.indices {
        var damaged = second
        damaged[byte] ^= 0x55
        let bytes = first + damaged + StoreFile.record(outputs[2])
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        #expect(
          try SuffixStore(path: path, vocabulary: 7).outputs == [outputs[0], outputs[2]])
      }
      for cut in header.indices {
        try Data(header.prefix(cut)).write(to: URL(fileURLWithPath: path))
        try SuffixStore(path: path, vocabulary: 7).append(outputs[1])
        #expect(try SuffixStore(path: path, vocabulary: 7).outputs == [outputs[1]])
      }
      try Data("a letter to someone else".utf8).write(to: URL(fileURLWithPath: path))
      #expect(throws: StoreError.self) { try SuffixStore(path: path, vocabulary: 7) }
    }
  }

  @Test("many writers at once lose nothing")
  func concurrency() throws {
    try Self.withPath { path in
      DispatchQueue.concurrentPerform(iterations: 8) { writer in
        // Each has the file open for itself, as a process would.
        guard let store = try? SuffixStore(path: path, vocabulary: 7) else { return }
        for index in 0..<20 { try? store.append([Int32(writer), Int32(index), 5]) }
      }
      let outputs = try SuffixStore(path: path, vocabulary: 7).outputs
      #expect(outputs.count == 160 && Set(outputs).count == 160)
    }
  }

  @Test("a generation is drafted from what earlier ones wrote")
  func drafting() throws {
    try Self.withPath { path in
      let store = try SuffixStore(path: path, vocabulary: 7, capacity: 200)
      let tokens: [Int32] = Array(40..<50)
      func best(_ drafter: SuffixDrafter, vocabularySize: Int = 200) throws -> [Int32] {
        let context = DraftContext(
          tokens: tokens, vocabularySize: vocabularySize, sampler: Sampler(.greedy),
          chance: KeyedRandom(seed: 1), style: .matching)
        return try drafter.draft(after: context, budget: DraftBudget(nodes: 5, depth: 5)).tokens
      }
      let drafter = try SuffixDrafter(store: store)
      try drafter.begin(prompt: tokens)
      #expect(try best(drafter).isEmpty)
      try store.append(Array(0..<100))
      // The one that has read on meanwhile knows nothing of it yet; a new one does.
      let next = try SuffixDrafter(store: store)
      try next.begin(prompt: tokens)
      #expect(try best(next) == [50, 51, 52, 53, 54])
      // Another target of this vocabulary may pad it less.
      #expect(try best(next, vocabularySize: 52) == [50, 51])
      // The store is made anew: the states of before mean nothing in it.
      for index in 0..<6 { try store.append((0..<50).map { Int32(index * 7 + $0) }) }
      #expect(try best(next).first == 50)
    }
  }
}
