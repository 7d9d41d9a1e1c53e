import Foundation
import LanguageModels
import Speculation
import Testing

@testable import Drafters

/// What the error of loading a folder says.
private func complaint(_ folder: String, vocabulary: UInt64? = nil) throws -> String {
  let target = try TinyDrafter.target(threads: 1)
  do {
    _ = try TrainedDrafter.load(folder: folder, target: target, vocabulary: vocabulary)
    return "loaded"
  } catch {
    return "\(error)"
  }
}

@Suite struct TrainedDrafterTests {
  @Test("the method is told by the layout", arguments: TinyDrafter.allCases)
  func method(tiny: TinyDrafter) throws {
    let target = try TinyDrafter.target(threads: 1)
    let trained = try tiny.load(target)
    #expect(trained.method == tiny.rawValue.replacing("-original", with: ""))
    #expect((trained.card != nil) == (tiny == .medusa))
    #expect(trained.weights.parameterCount > 3000)
    var settings = DrafterSettings(capacity: 64)
    settings.trained = [trained]
    #expect(try DrafterRegistry.make(trained.method, settings).name == trained.method)
  }

  @Test("a registry entry refuses a drafter of another method, or none")
  func otherMethod() throws {
    var settings = DrafterSettings(capacity: 64)
    #expect(throws: SpeculationError.self) { try DrafterRegistry.make("medusa", settings) }
    settings.trained = [try TinyDrafter.hydra.load(TinyDrafter.target(threads: 1))]
    #expect(
      throws: SpeculationError.invalidSetting(
        name: "trained drafter", expected: "one of the method medusa", found: "hydra")
    ) { try DrafterRegistry.make("medusa", settings) }
  }

  @Test("faults name the file, the field, what was expected and what was found")
  func faults() throws {
    for (tiny, file, old, new, parts) in [
      (
        TinyDrafter.medusa, "config.json", #""num_heads": 3"#, #""num_heads": 4"#,
        ["model.safetensors", "blocks.3.layers.0.weight", "[32, 32]"]
      ),
      (
        .medusa, "config.json", #""hidden_size": 32"#, #""hidden_size": 64"#,
        ["config.json", "hidden_size", "32", "64"]
      ),
      (
        .medusa, "config.json", #""num_heads": 3"#, #""num_heads": 99"#,
        ["config.json", "num_heads", "16", "99"]
      ),
      (
        .medusa, "nunchi.json", #""hiddenSize": 32"#, #""hiddenSize": 33"#,
        ["nunchi.json", "target.hiddenSize", "32", "33"]
      ),
      (
        .medusa, "nunchi.json", #""medusa""#, #""jellyfish""#,
        ["nunchi.json", "method", "medusa", "jellyfish"]
      ),
      (
        .medusa, "nunchi.json", "frequent_tokens.json", "../tokens.json",
        ["nunchi.json", "frequentTokens", "../tokens.json"]
      ),
      (
        .medusa, "nunchi.json", "frequent_tokens.json", "none.json",
        ["none.json", "expected a file"]
      ),
      (
        .hydra, "config.json", #""mlp""#, #""prefix-mlp""#,
        ["config.json", "hydra_head_arch", "mlp", "prefix-mlp"]
      ),
      (
        .hydra, "config.json", "true", "false",
        ["config.json", "grounded_heads", "true", "false"]
      ),
      (
        .hydra, "config.json", #""hydra_num_layers": 2"#, #""hydra_num_layers": 3"#,
        ["model.safetensors", "hydra_mlp.0.2.linear.weight", "[32, 32]"]
      ),
      (
        .tinyLM, "config.json", #""vocab_size": 96"#, #""vocab_size": 95"#,
        ["config.json", "vocab_size", "96", "95"]
      ),
    ] {
      let folder = try FolderCopy(of: tiny.folder)
      try folder.edit(file, old, to: new)
      let text = try complaint(folder.path)
      for part in parts { #expect(text.contains(part), "\(text)") }
    }
  }

  @Test("a card's vocabulary is compared with the target's")
  func vocabulary() throws {
    let folder = try FolderCopy(of: TinyDrafter.medusa.folder)
    var card = try #require(try DrafterCard(folder: folder.path))
    #expect(try complaint(folder.path, vocabulary: 7) == "loaded")
    card.target = DrafterCard.Target(
      name: "tiny", hiddenSize: 32, vocabularySize: 96, vocabularyFingerprint: 0xFFEE)
    card.acceptance = ["chat": 2.5]
    try card.write(to: folder.path, provenance: ["command": "nunchi train medusa"])
    #expect(try DrafterCard(folder: folder.path) == card)
    let text = try String(
      contentsOfFile: DrafterCard.path(in: folder.path), encoding: .utf8)
    #expect(text.contains(#""command" : "nunchi train medusa""#))
    #expect(try complaint(folder.path, vocabulary: 0xFFEE) == "loaded")
    #expect(try complaint(folder.path, vocabulary: 7).contains("vocabulary"))
  }
}
