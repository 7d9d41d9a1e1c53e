import Drafters
import Foundation
import ModelFiles
import NunchiDrafters
import Speculation
import Testing

@testable import Nunchi

@Suite("Shipped drafters") struct ShippedDrafterTests {
  static let folders = TrainedDrafterShelf.shipped.map(TrainedDrafterShelf.drafters) ?? []

  init() {
    TrainedDrafterShelf.addShippedDrafters()
  }

  @Test("there are some for the default model, the large target and the one of many languages")
  func targets() throws {
    let targets = try Set(Self.folders.compactMap { try DrafterCard(folder: $0)?.target.name })
    #expect(
      targets.isSuperset(of: ["SmolLM2-135M", "Qwen2.5-Coder-1.5B", "Gemma-3-270M"]))
  }

  @Test("a shelf that many threads add stands once, before what was trained into the cache")
  func shelves() throws {
    let shelf = FileManager.default.temporaryDirectory
      .appendingPathComponent("nunchi-shelf-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: shelf) }
    let drafter = shelf.appendingPathComponent("some-model/tiny-lm")
    try FileManager.default.createDirectory(at: drafter, withIntermediateDirectories: true)
    try Data("{}".utf8).write(to: drafter.appendingPathComponent(DrafterCard.fileName))
    DispatchQueue.concurrentPerform(iterations: 32) { _ in TrainedDrafterShelf.add(shelf.path) }
    let folders = TrainedDrafterShelf.folders
    #expect(folders.filter { $0.hasPrefix(shelf.path) } == [drafter.path])
    #expect(TrainedDrafterShelf.shelves.last == TrainedDrafterShelf.own)
    #expect(Set(folders).isSuperset(of: Self.folders))
  }

  @Test("each is small, says what it was made for and from, and carries a card")
  func provenance() throws {
    struct Made: Decodable {
      struct Provenance: Decodable {
        struct File: Decodable { var sha256: String }
        var command: [String]
        var commit: String?
        var data: [File]
        var seeds: [String: UInt64]
      }
      var provenance: Provenance
    }
    let catalogue = try ModelCatalogue.standard()
    for folder in Self.folders {
      let card = try #require(try DrafterCard(folder: folder))
      #expect(catalogue.entries.contains { $0.sha256 == card.target.sha256 }, "\(folder)")
      var bytes = 0
      for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
        bytes +=
          try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")[.size] as? Int ?? 0
      }
      #expect(bytes < 30_000_000, "\(folder): \(bytes) bytes")
      let made = try JSONDecoder().decode(
        Made.self, from: Data(contentsOf: URL(fileURLWithPath: "\(folder)/nunchi.json"))
      ).provenance
      #expect(!made.data.isEmpty && made.data.allSatisfy { $0.sha256.count == 64 })
      #expect(made.commit != nil && made.seeds["training"] != nil)
      #expect(!made.command.contains { $0.contains("/") }, "paths of a machine: \(made.command)")
      #expect(try String(contentsOfFile: "\(folder)/README.md", encoding: .utf8).count > 500)
    }
  }

  @Test("drafters that were trained into the cache come after them")
  func order() throws {
    let shelves = TrainedDrafterShelf.shelves
    #expect(shelves.first == TrainedDrafterShelf.shipped)
    #expect(shelves.last == TrainedDrafterShelf.own)
  }

  @Test("auto takes it for the model's file, the words stay the same, and drafts are accepted")
  func decodes() async throws {
    let model = try await TestModels.smol.value
    let shipped = try #require(TrainedDrafterShelf.shipped)
    let folder = try #require(
      try Self.folders.first {
        try DrafterCard(folder: $0)?.target.sha256 == model.fileChecksum()
      })
    #expect(folder.hasPrefix(shipped))
    #expect(try model.trainedDrafter() != nil)
    var choice = DrafterChoice(named: try model.trainedDrafter(folder: folder).method)
    choice.trainedFolders = [folder]
    let questions = [
      "What are the health benefits of drinking green tea?",
      "Write a short story about a lighthouse keeper and a lost ship.",
    ]
    var drafted = SpeculationStatistics([])
    for question in questions {
      var outputs: [[Int32]] = []
      for options in [
        GenerationOptions(drafter: .none, maxTokens: 80),
        GenerationOptions(drafter: choice, draftLength: 4, maxTokens: 80),
      ] {
        let messages = [ChatMessage(role: "user", content: question)]
        for try await event in model.generate(messages, options: options) {
          guard case .finished(let result) = event else { continue }
          outputs.append(result.tokens)
          if outputs.count == 2 { drafted.merge(SpeculationStatistics(result.traces)) }
        }
      }
      #expect(outputs.count == 2 && outputs[0] == outputs[1], "\(question)")
    }
    let expected = 1.6
    #expect(drafted.acceptanceLength > expected, "\(drafted.acceptanceLength)")
  }

  @Test("the affine-aligned tree that comes with SmolLM2 keeps the words, and its predictor judges")
  func affineTree() async throws {
    let model = try await TestModels.smol.value
    let draft = try #require(try model.trainedDrafter(method: "tiny-lm"))
    var choice = DrafterChoice(named: "affine-tree")
    choice.trainedFolders = [draft.folder]
    choice.affineTree = try AffineTreeConfiguration(path: "\(draft.folder)/affine-tree.yaml")
    let messages = [
      ChatMessage(role: "user", content: "What are the health benefits of drinking green tea?")
    ]
    var results: [GenerationResult] = []
    for options in [
      GenerationOptions(drafter: .none, maxTokens: 64),
      GenerationOptions(drafter: choice, draftLength: 3, maxTokens: 64),
    ] {
      for try await event in model.generate(messages, options: options) {
        if case .finished(let result) = event { results.append(result) }
      }
    }
    #expect(results.count == 2 && results[0].tokens == results[1].tokens)
    let proposals = results[1].traces.flatMap(\.proposals)
    #expect(SpeculationStatistics(results[1].traces).accepted > 0)
    for part in ["align seconds", "predict seconds", "prune seconds"] {
      #expect(proposals.contains { ($0.figures?[part] ?? 0) > 0 }, "\(part)")
    }
    // The draft model's own probabilities are the scores where nothing predicts.
    choice.affineTree = nil
    var plain: [GenerationResult] = []
    let options = GenerationOptions(drafter: choice, draftLength: 3, maxTokens: 64)
    for try await event in model.generate(messages, options: options) {
      if case .finished(let result) = event { plain.append(result) }
    }
    #expect(plain.first?.tokens == results[0].tokens)
    #expect(plain.first?.traces.flatMap(\.proposals).first?.scores != proposals.first?.scores)
  }
}
