import Foundation
import LanguageModels
import ModelFiles
import Sampling
import Speculation
import Testing

@testable import DrafterTraining

@Suite struct HiddenStateTests {
  private func document(_ index: Int, rows: Int) -> TokenizedConversation {
    TokenizedConversation(
      id: "\(index)", tokens: (0..<rows).map { Int32(100 * index + $0) },
      answers: [rows / 2..<rows])
  }

  /// States that tell document, row, column and kind.
  private func states(_ index: Int, rows: Int, hidden: Int, kinds: Int) -> [[UInt16]] {
    (0..<kinds).map { kind in
      (0..<rows * hidden).map { BFloat16.bits(Float(1000 * kind + 100 * index + $0)) }
    }
  }

  private func fill(_ folder: String, documents: Range<Int>, shardRows: Int = 20) throws {
    let writer = try HiddenStateWriter(
      folder: folder, metadata: HiddenStateMetadata(target: "tiny", sha256: "a", vocabulary: "b"),
      hiddenSize: 4, layers: [2, 5], shardRows: shardRows)
    for index in documents {
      let document = document(index, rows: 3 + index % 5)
      try writer.append(
        document, states: states(index, rows: document.tokens.count, hidden: 4, kinds: 3))
    }
    try writer.finish()
  }

  @Test("states are read as they were written, over several shards and a resumed writer")
  func roundTrip() async throws {
    try await withFolder { folder in
      try fill(folder, documents: 0..<12)
      try fill(folder, documents: 5..<30)  // the first seven are there already
      let set = try HiddenStateSet(folder: folder)
      #expect(set.documentCount == 30)
      #expect(set.layers == [2, 5])
      #expect(set.metadata.target == "tiny")
      #expect(set.rowCount == (0..<30).reduce(0) { $0 + 3 + $1 % 5 })
      for index in 0..<30 {
        let batch = try set.document(index)
        let expected = document(index, rows: 3 + index % 5)
        #expect(batch.tokens == expected.tokens)
        #expect(batch.answer == expected.answerMask)
        var values = [Float](repeating: .nan, count: batch.rows * 4)
        values.withUnsafeMutableBufferPointer { values in
          if let base = values.baseAddress { batch.copy(.layer(5), into: base) }
        }
        let stored = states(index, rows: batch.rows, hidden: 4, kinds: 3)[2]
        #expect(values == stored.map(BFloat16.float))
      }
      #expect(throws: TrainingError.self) { try HiddenStateSet(folder: folder, layers: [3]) }
      #expect(throws: TrainingError.self) { try HiddenStateSet(folder: folder + "/none") }
    }
  }

  @Test("a writer refuses a folder of another target, other layers, or another writer")
  func foreign() async throws {
    try await withFolder { folder in
      try fill(folder, documents: 0..<3)
      func open(_ sha256: String, _ layers: [Int]) throws -> HiddenStateWriter {
        try HiddenStateWriter(
          folder: folder, metadata: HiddenStateMetadata(target: "tiny", sha256: sha256),
          hiddenSize: 4, layers: layers)
      }
      #expect(throws: TrainingError.self) { try open("other", [2, 5]) }
      #expect(throws: TrainingError.self) { try open("a", [2]) }
      let held = try open("a", [2, 5])
      #expect(throws: TrainingError.self) { try open("a", [2, 5]) }
      withExtendedLifetime(held) {}
    }
  }

  @Test(
    "a damaged shard is refused with the tensor's name",
    arguments: ["documents", "answer", "layer.2", "rows"])
  func damaged(tensor: String) async throws {
    try await withFolder { folder in
      let path = "\(folder)/states-00000.safetensors"
      let writer = try SafetensorsWriter(
        path: path,
        tensors: [
          TensorInfo(name: "final", type: .bf16, shape: [4, 2]),
          TensorInfo(
            name: "layer.2", type: .bf16, shape: tensor == "layer.2" ? [4, 3] : [4, 2]),
          TensorInfo(name: "tokens", type: .i32, shape: [4]),
          TensorInfo(name: "answer", type: tensor == "answer" ? .i32 : .u8, shape: [4]),
          TensorInfo(name: "documents", type: .i32, shape: [3]),
        ])
      try writer.append([Float](repeating: 0, count: 8), to: "final")
      try writer.append([Float](repeating: 0, count: tensor == "layer.2" ? 12 : 8), to: "layer.2")
      try writer.append([1, 2, 3, 4], to: "tokens")
      try writer.append([0, 0, 1, 1], to: "answer")
      // First rows that fall, or that lie beyond the last row.
      try writer.append(
        tensor == "documents" ? [0, 5, 4] : tensor == "rows" ? [0, 2, 7] : [0, 2, 4],
        to: "documents")
      try writer.finish()
      let error = #expect(throws: TrainingError.self) { try HiddenStateFile(path: path) }
      let named = tensor == "rows" ? "documents" : tensor
      #expect("\(String(describing: error))".contains("'\(named)'"))
    }
  }

  @Test("answers to the same prompt are in the same part, and both parts together are all")
  func split() async throws {
    try await withFolder { folder in
      let writer = try HiddenStateWriter(
        folder: folder, metadata: HiddenStateMetadata(), hiddenSize: 1, layers: [])
      for prompt in 0..<100 {
        for answer in 0..<3 {
          let document = TokenizedConversation(
            id: "", tokens: [Int32(prompt), 7, Int32(answer)], answers: [2..<3])
          try writer.append(document, states: [[0, 0, 0]])
        }
      }
      try writer.finish()
      let (training, validation) = try HiddenStateSet(folder: folder).split(validation: 0.2)
      #expect(training.documentCount + validation.documentCount == 300)
      #expect((30...90).contains(validation.documentCount))
      func prompts(_ set: HiddenStateSet) throws -> Set<Int32> {
        Set(try (0..<set.documentCount).map { try set.document($0).tokens[0] })
      }
      #expect(try prompts(training).isDisjoint(with: prompts(validation)))
    }
  }

  @Test("texts, and conversations that all begin alike, are told apart by what follows")
  func splitOfTheAlike() throws {
    /// Documents by what is read and what is answered, in turns.
    func held(_ documents: [[[Int32]]]) -> [Bool] {
      HeldOutDocuments(share: 0.2, seed: 3).places(count: documents.count) { index in
        let parts = documents[index]
        return (
          parts.flatMap(\.self),
          parts.enumerated().flatMap { place, part in part.map { _ in UInt8(place % 2) } }
        )
      }
    }
    func share(_ held: [Bool]) -> Double { Double(held.count { $0 }) / Double(held.count) }
    let expected = 0.1...0.3
    // Nothing is read: all is the model's own.
    let texts = held((0..<300).map { [[], [5, Int32($0), 6]] })
    #expect(expected.contains(share(texts)))
    // The model speaks first, after what the template writes, and then answers a question: three
    // times the same one, which is never on both sides.
    let greeted = held((0..<300).map { [[1, 2], [8], [3, Int32($0 / 3)], [Int32($0)]] })
    #expect(expected.contains(share(greeted)))
    for first in stride(from: 0, to: 300, by: 3) {
      #expect(Set(greeted[first..<first + 3]).count == 1)
    }
    // Of few documents none is like too many.
    let few = held((0..<8).map { [[7], [Int32($0)]] })
    #expect(Set(few).count == 1)
    // The rest of the documents is where it is without them.
    let questions = (0..<300).map { [[Int32($0 / 3), 9], [Int32($0)]] as [[Int32]] }
    #expect(
      held(questions) == Array(held(questions + (0..<300).map { [[], [Int32($0)]] })[..<300]))
  }

  @Test("pieces of one text are in the same part")
  func splitOfPieces() throws {
    let documents = TextDocuments(
      (0..<60).map { index in
        TokenizedConversation(
          id: "", tokens: (0..<50).map { Int32(100 * index + $0) }, answers: [0..<50])
      }, contextLength: 20, hiddenSize: 1)
    #expect(documents.documentCount == 180)
    let (training, validation) = documents.split(validation: 0.3, seed: 1)
    #expect(training.documentCount + validation.documentCount == 180)
    func texts(_ part: TextDocuments) throws -> Set<Int32> {
      Set(try #require(try part.batch(inOrder: 0, rows: 10_000)).tokens.map { $0 / 100 })
    }
    #expect(try !texts(validation).isEmpty)
    #expect(try texts(training).isDisjoint(with: texts(validation)))
  }

  @Test("a batch is a function of its index, and each epoch has every document once")
  func order() throws {
    let lengths = (0..<50).map { 3 + ($0 * 7) % 40 }
    let order = DocumentOrder(lengths: lengths)
    var epochs: [[Int]] = [[], [], []]
    var batches: [[Int]] = []
    while epochs[2].count < 50 {
      let batch = order.documents(at: batches.count, seed: 1, rows: 64)
      let epoch = epochs.firstIndex { $0.count < 50 } ?? 0
      #expect(batch.reduce(0) { $0 + lengths[$1] } <= 64)
      epochs[epoch] += batch
      batches.append(batch)
    }
    for epoch in epochs { #expect(epoch.sorted() == Array(0..<50)) }
    #expect(epochs[0] != epochs[1])
    // A resumed run asks a fresh object for a late batch first.
    let fresh = DocumentOrder(lengths: lengths)
    for index in batches.indices.reversed() {
      #expect(fresh.documents(at: index, seed: 1, rows: 64) == batches[index])
    }
    #expect(fresh.documents(at: 0, seed: 2, rows: 64) != batches[0])
    #expect(DocumentOrder(lengths: [100]).documents(at: 3, seed: 1, rows: 64) == [0])
    #expect(DocumentOrder(lengths: []).documents(at: 0, seed: 1, rows: 64) == [])
  }

  @Test("a float becomes the nearest bfloat16, to even between two")
  func rounding() {
    let cases: [(Float, UInt16)] = [
      (1, 0x3F80), (Float(bitPattern: 0x3F80_8000), 0x3F80),
      (Float(bitPattern: 0x3F81_8000), 0x3F82), (Float(bitPattern: 0x3F80_8001), 0x3F81),
      (-.infinity, 0xFF80), (.greatestFiniteMagnitude, 0x7F80),
    ]
    for (value, bits) in cases { #expect(BFloat16.bits(value) == bits) }
    #expect(BFloat16.float(BFloat16.bits(.nan)).isNaN)
    #expect(BFloat16.float(BFloat16.bits(Float(bitPattern: 0x7FFF_FFFF))).isNaN)
  }

  @Test("states recorded while generating are those of a prefill, bit for bit")
  func recorded() throws {
    let model = try DataModels.tiny()
    let layers = [0, 1, 2]
    let recorder = StateRecorder(layers: layers, hiddenSize: model.hiddenSize)
    let generator = try SpeculativeGenerator(target: model, capacity: 128)
    let prefill = try StatePrefill(model: model, layers: layers, contextLength: 128)
    let setup = GenerationSetup(
      drafter: recorder, draftLength: .fixed(0),
      sampling: try SamplingParameters(temperature: 1, seed: 3),
      limits: GenerationLimits(maxTokens: 12))
    // The second prompt begins like the first, so that its states are partly those of the cache.
    for prompt in [[3, 1, 4, 1, 5, 9, 2, 6], [3, 1, 4, 1, 5, 8], [7]] as [[Int32]] {
      try generator.begin(prompt: prompt, setup: setup)
      while try generator.next() != nil {}
      let tokens = generator.tokens
      #expect(tokens.count == prompt.count + 12)
      #expect(recorder.rowCount == tokens.count - 1)
      #expect(recorder.states == (try prefill.states(of: [Array(tokens.dropLast())])[0]))
    }
  }

  @Test("documents that are computed together have the states that each has alone")
  func together() throws {
    let model = try DataModels.tiny()
    let prefill = try StatePrefill(model: model, layers: [1], contextLength: 700)
    let documents = [5, 40, 1, 100, 80].map { count in
      (0..<count).map { Int32(($0 * 13 + count) % model.vocabularySize) }
    }
    let together = try prefill.states(of: documents)
    for (document, states) in zip(documents, together) {
      #expect(try prefill.states(of: [document])[0] == states)
    }
    #expect(StatePrefill.fitting([200, 50, 7, 1]) == 2)
    #expect(StatePrefill.fitting([900, 1]) == 1)
    #expect(StatePrefill.fitting(Array(repeating: 1, count: 40)) == 16)
    #expect(StatePrefill.fitting([Int]()) == 0)
  }
}
