import Foundation
import LanguageModels
import ModelFiles
import Sampling
import Speculation
import Testing

@testable import Drafters

/// A datastore whose file is gone when this returns: the mapping stays.
func temporaryDatastore(
  _ documents: [[Int32]], vocabularySize: Int, vocabulary: UInt64 = 1
) throws -> Datastore {
  let path = NSTemporaryDirectory() + "/nunchi-\(UUID().uuidString).datastore"
  defer { try? FileManager.default.removeItem(atPath: path) }
  var writer = DatastoreWriter(vocabulary: vocabulary, vocabularySize: vocabularySize)
  for document in documents { try writer.add(document, textBytes: document.count * 3) }
  try writer.write(to: path)
  return try Datastore(path: path, vocabulary: vocabulary)
}

/// Documents with many repeats, and one that is a single loop.
private let documents: [[Int32]] = {
  var state: UInt64 = 3
  func random(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }
  return (0..<6).map { index in (0..<200).map { _ in Int32(random(3 + index * 3)) } }
    + [[Int32](repeating: 2, count: 150)]
}()

private func draft(
  _ datastore: Datastore, after tokens: [Int32],
  _ configuration: RetrievalDrafter.Configuration = .init(), vocabularySize: Int = 100
) throws -> DraftTree {
  let drafter = try RetrievalDrafter(datastore: datastore, configuration: configuration)
  let context = DraftContext(
    tokens: tokens, vocabularySize: vocabularySize, sampler: Sampler(.greedy),
    chance: KeyedRandom(seed: 1), style: .matching)
  return try drafter.draft(after: context, budget: DraftBudget(nodes: 64, depth: 16))
}

@Suite struct DatastoreTests {
  @Test("searches find what a search of every place finds", arguments: [100, 70_000])
  func search(vocabularySize: Int) throws {
    let datastore = try temporaryDatastore(documents, vocabularySize: vocabularySize)
    #expect(datastore.summary.bytesPerToken == (vocabularySize == 100 ? 2 : 4))
    #expect(datastore.summary.documents == documents.count)
    let flat: [Int32] = documents.flatMap { document -> [Int32] in document + [-1] }
    for length in [1, 2, 3, 5, 9, 16, 24] {
      for start in stride(from: 0, to: flat.count - length, by: 11) {
        let pattern = flat[start..<(start + length)]
        guard !pattern.contains(-1) else { continue }
        let found = datastore.ranks(of: pattern).map(datastore.place(ofRank:)).sorted()
        let places = (0...(flat.count - length)).filter {
          flat[$0..<($0 + length)].elementsEqual(pattern)
        }
        #expect(found == places)
      }
    }
    #expect(datastore.ranks(of: [99]).isEmpty)
  }

  @Test("a file cut short anywhere, or changed in its header, is refused with its name")
  func hostile() throws {
    let path = NSTemporaryDirectory() + "/nunchi-\(UUID().uuidString).datastore"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var writer = DatastoreWriter(vocabulary: 1, vocabularySize: 100)
    try writer.add([1, 2, 3, 1, 2, 4], textBytes: 12)
    try writer.write(to: path)
    let sound = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(try Datastore(path: path, vocabulary: 1).summary.bytes == sound.count)
    #expect(throws: StoreError.otherVocabulary(path: path)) {
      try Datastore(path: path, vocabulary: 2)
    }
    func refused(_ data: Data) throws {
      try data.write(to: URL(fileURLWithPath: path))
      #expect(throws: (any Error).self) { try Datastore(path: path) }
    }
    for count in sound.indices { try refused(sound.prefix(count)) }
    for byte in 0..<Datastore.headerBytes {
      var changed = sound
      changed[byte] ^= 0x41
      try refused(changed)
    }
    // The rest has no checksum: whatever it says, drafts are tokens of the vocabulary.
    for byte in Datastore.headerBytes..<sound.count {
      var changed = sound
      changed[byte] = 0xEE
      try changed.write(to: URL(fileURLWithPath: path))
      let tree = try draft(try Datastore(path: path), after: [1, 2])
      #expect(tree._checkInvariants() == nil && tree.tokens.allSatisfy { $0 < 100 })
    }
  }

  @Test("an empty datastore and tokens outside the vocabulary are refused")
  func refusals() throws {
    #expect(throws: StoreError.self) { try temporaryDatastore([], vocabularySize: 9) }
    #expect(throws: StoreError.self) { try temporaryDatastore([[1, 9]], vocabularySize: 9) }
    #expect(throws: StoreError.self) { try temporaryDatastore([[-1]], vocabularySize: 9) }
  }
}

@Suite struct RetrievalDrafterTests {
  @Test("the children of the root are what followed the longest suffix, the most frequent first")
  func continuations() throws {
    let datastore = try temporaryDatastore(documents, vocabularySize: 100)
    let all = RetrievalDrafter.Configuration(samples: 100_000, minimumPathProbability: 0)
    let contexts: [[Int32]] = [
      Array(documents[1].prefix(30)) + [2, 2], Array(documents[4].dropLast(9)), [99, 1, 1], [2],
    ]
    for tokens in contexts {
      var counts: [Int32: Int] = [:]
      for length in (1...16).reversed() where counts.isEmpty && length <= tokens.count {
        let pattern = tokens.suffix(length)
        for document in documents where document.count > length {
          for end in length..<document.count where document[(end - length)..<end] == pattern {
            counts[document[end], default: 0] += 1
          }
        }
      }
      let tree = try draft(datastore, after: tokens, all)
      let children = tree.children(of: DraftTree.root)
      #expect(tree._checkInvariants() == nil && tree.count <= 64)
      // The tree has room for the likeliest; those it has come in the order of their counts.
      let found = children.map { counts[tree.tokens[$0]] ?? 0 }
      #expect(!found.contains(0) && found == found.sorted(by: >))
      #expect(found.first == counts.values.max())
    }
    #expect(try draft(datastore, after: [99]).isEmpty)
  }

  @Test("settings out of range are refused, and so is a drafter without a datastore")
  func settings() throws {
    let datastore = try temporaryDatastore([[1, 2]], vocabularySize: 9)
    for configuration in [
      RetrievalDrafter.Configuration(span: 0), .init(span: 99), .init(nodes: 0), .init(depth: 0),
      .init(samples: 0), .init(minimumPathProbability: -1),
    ] {
      #expect(throws: SpeculationError.self) {
        try RetrievalDrafter(datastore: datastore, configuration: configuration)
      }
    }
    #expect(throws: SpeculationError.self) { try DrafterRegistry.make("rest", DrafterSettings()) }
  }
}
