import Foundation
import ModelFiles
import Testing

@testable import LanguageModels

/// A tiny model's `config.json`, changed.
private func fields(
  _ tiny: TinyModel, _ change: (inout [String: Any]) -> Void
) throws -> ConfigurationFields {
  let data = try Data(contentsOf: URL(fileURLWithPath: tiny.folder + "/config.json"))
  var object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  change(&object)
  return try ConfigurationFields(
    json: JSONSerialization.data(withJSONObject: object), file: "config.json")
}

/// How far a model's logits are from those of transformers for the tiny model's own configuration.
private func distance(_ model: TransformerModel, from tiny: TinyModel) throws -> Float {
  let tokens = try tiny.tokens()
  let cache = try model.makeCache(capacity: tokens.count)
  // The rows are the cache's.
  let found = try withExtendedLifetime(cache) {
    try model.forward(chain: tokens, cache: cache).logits.values
  }
  let expected = try tiny.logits()
  try #require(found.count == expected.count)
  return zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

private func load(_ tiny: TinyModel, _ fields: ConfigurationFields) throws -> TransformerModel {
  try TransformerModel(
    file: SafetensorsFile(path: tiny.folder), fields: fields, pool: ComputePool(threads: 2))
}

/// A way of writing what a tiny model's configuration says of rotation.
struct RotaryForm: Sendable, CustomTestStringConvertible {
  let name: String
  let tiny: TinyModel
  let change: @Sendable (inout [String: Any]) -> Void
  var testDescription: String { name }
}

private let rotaryForms = [
  RotaryForm(name: "theta at the top, llama3", tiny: .llama3Scaled) { $0.moveTheta() },
  RotaryForm(name: "theta at the top, linear", tiny: .llamaLinear) { $0.moveTheta() },
  RotaryForm(name: "theta at the top, yarn", tiny: .llamaYarn) { $0.moveTheta() },
  RotaryForm(name: "as before transformers 5", tiny: .llamaLinear) {
    $0["rope_parameters"] = nil
    $0["rope_theta"] = 1e4
    $0["rope_scaling"] = ["type": "linear", "factor": 4] as [String: Any]
  },
  RotaryForm(name: "original context at the top", tiny: .llamaYarn) {
    $0.moveTheta()
    $0["rope_parameters"] = ["rope_type": "yarn", "factor": 8] as [String: Any]
    $0["original_max_position_embeddings"] = 16
  },
  RotaryForm(name: "Gemma's thetas left to their defaults", tiny: .gemma3) {
    $0["rope_parameters"] = [
      "full_attention": ["rope_type": "linear", "factor": 8] as [String: Any],
      "sliding_attention": ["rope_type": "default"],
    ]
  },
  RotaryForm(name: "Gemma's before transformers 5", tiny: .gemma3) {
    $0["rope_parameters"] = nil
    $0["rope_theta"] = 1e6
    $0["rope_local_base_freq"] = 1e4
    $0["rope_scaling"] = ["rope_type": "linear", "factor": 8] as [String: Any]
  },
]

/// What transformers 5.24's `_compute_yarn_parameters` makes of settings, with theta 500, heads of
/// 16 and a context of 128.
struct YarnExample: Sendable, CustomTestStringConvertible {
  let settings: [String: any Sendable]
  let frequencies: [Double]
  let magnitude: Double
  var testDescription: String { settings.keys.sorted().joined(separator: ", ") }
}

private let yarns = [
  YarnExample(
    settings: ["factor": 8.0, "original_max_position_embeddings": 16],
    frequencies: [
      1.0, 0.2586731, 0.02643428, 0.012156156, 0.0055901702, 0.0025707141, 0.001182177,
      0.00054363982,
    ],
    magnitude: 1.2079441541679836),
  YarnExample(
    settings: [
      "factor": 4.0, "original_max_position_embeddings": 32, "truncate": false, "beta_fast": 4.0,
      "beta_slow": 0.5,
    ],
    frequencies: [
      1.0, 0.37108448, 0.11139711, 0.024312312, 0.01118034, 0.0051414282, 0.002364354, 0.0010872796,
    ],
    magnitude: 1.138629436111989),
  YarnExample(
    settings: [
      "factor": 4.0, "original_max_position_embeddings": 32, "mscale": 1.0, "mscale_all_dim": 0.5,
    ],
    frequencies: [
      1.0, 0.34489745, 0.10573712, 0.024312312, 0.01118034, 0.0051414282, 0.002364354, 0.0010872796,
    ],
    magnitude: 1.0648216253695715),
  YarnExample(
    settings: ["factor": 4.0, "original_max_position_embeddings": 64, "attention_factor": 1.25],
    frequencies: [
      1.0, 0.34489745, 0.10573712, 0.024312312, 0.01118034, 0.0051414282, 0.002364354, 0.0010872796,
    ],
    magnitude: 1.25),
  YarnExample(
    settings: ["factor": 4.0],
    frequencies: [
      1.0, 0.3736389, 0.13217139, 0.042546548, 0.01118034, 0.0051414282, 0.002364354, 0.0010872796,
    ],
    magnitude: 1.138629436111989),
]

@Suite("A configuration")
struct ConfigurationTests {
  @Test("has the same rotation however it is written", arguments: rotaryForms)
  func rotary(form: RotaryForm) throws {
    let changed = try fields(form.tiny, form.change)
    #expect(try distance(load(form.tiny, changed), from: form.tiny) < 1e-4)
  }

  @Test("that leaves the scaling out has other logits: the comparison sees it")
  func control() throws {
    for tiny in [TinyModel.llama3Scaled, .llamaLinear, .llamaYarn] {
      let plain = try fields(tiny) {
        $0.moveTheta()
        $0["rope_parameters"] = nil
      }
      #expect(try distance(load(tiny, plain), from: tiny) > 0.001, "\(tiny)")
    }
  }

  @Test("of Gemma with one rotation for all layers is refused, as is one of a kind not known")
  func refused() throws {
    let cases: [(rotary: [String: Any], field: String)] = [
      (["rope_theta": 1e6], "rope_parameters.rope_theta"),
      (
        ["full_attention": ["rope_type": "dynamic", "factor": 2] as [String: Any]],
        "full_attention.rope_type"
      ),
      (["sliding_attention": ["partial_rotary_factor": 0.5]], "sliding_attention.partial_rotary"),
    ]
    for (rotary, field) in cases {
      let changed = try fields(.gemma3) { $0["rope_parameters"] = rotary }
      #expect("\(field)") {
        _ = try load(.gemma3, changed)
      } throws: { "\($0)".hasPrefix("config.json: ") && "\($0)".contains(field) }
    }
  }

  @Test("in GGUF scales linearly where a factor has no type, under its old key too")
  func ggufFactor() throws {
    var twin = try GGUFTwin(.llamaLinear)
    twin.metadata["llama.rope.scaling.type"] = nil
    #expect(try distance(twin.load(), from: .llamaLinear) < 1e-4)
    twin.metadata["llama.rope.scaling.factor"] = nil
    twin.metadata["llama.rope.scale_linear"] = .float(4)
    #expect(try distance(twin.load(), from: .llamaLinear) < 1e-4)
    twin.metadata["llama.rope.scaling.type"] = .string("none")
    #expect(try distance(twin.load(), from: .llamaLinear) > 0.001)
    twin.metadata["llama.rope.scaling.type"] = .string("linear")
    twin.metadata["llama.rope.scale_linear"] = nil
    twin.metadata["llama.rope.scaling.factor"] = .float(0)
    #expect(try distance(twin.load(), from: .llamaLinear) > 0.001)
  }

  @Test(
    "gives YaRN's frequencies and magnitude as transformers computes them",
    arguments: yarns)
  func yarn(example: YarnExample) throws {
    let changed = try fields(.llama) {
      $0["rope_parameters"] = example.settings.merging(["rope_type": "yarn", "rope_theta": 500]) {
        $1
      }
      $0["max_position_embeddings"] = 128
    }
    let found = try RotaryConfiguration(fields: changed)
    #expect(abs(found.magnitude - example.magnitude) < 1e-6)
    for (own, other) in zip(found.frequencies(headDim: 16), example.frequencies) {
      #expect(abs(own - other) < 1e-6 * other)
    }
    #expect(example.frequencies.count == 8)
  }

  @Test("that leaves sizes out has those of its architecture")
  func defaults() throws {
    func configuration(_ tiny: TinyModel, without names: String...) throws -> ModelConfiguration {
      let fewer = try fields(tiny) { for name in names { $0[name] = nil } }
      return try ModelConfiguration(fields: fewer, file: SafetensorsFile(path: tiny.folder))
    }
    #expect(try configuration(.qwen3, without: "head_dim").headDim == 128)
    #expect(try configuration(.gemma3, without: "head_dim").headDim == 256)
    #expect(try configuration(.qwen2, without: "head_dim").headDim == 16)
    #expect(
      try configuration(.mistral, without: "max_position_embeddings").contextLength == 131_072)
    #expect(try configuration(.gemma3, without: "sliding_window").layers[0].window == 4096)
    #expect(try configuration(.mistral, without: "sliding_window").layers[0].window == 4096)
  }

  @Test("that leaves the head's size out is described by the rows of its matrices")
  func summary() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("nunchi-configuration-tests-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.copyItem(atPath: TinyModel.qwen3.folder, toPath: folder.path)
    let file = folder.appendingPathComponent("config.json")
    let said = try String(contentsOf: file, encoding: .utf8)
    try Data(said.replacing("\"head_dim\": 16,", with: "").utf8).write(to: file)
    let summary = try ModelSummary(of: .huggingFace(folder: folder.path))
    #expect(summary.keySize == 16 && summary.valueSize == 16)
  }

  @Test("that says null for a window has none, and Llama has none whatever it says")
  func windows() throws {
    func window(_ tiny: TinyModel, _ change: (inout [String: Any]) -> Void) throws -> Int {
      try ModelConfiguration(
        fields: fields(tiny, change), file: SafetensorsFile(path: tiny.folder)
      ).layers[0].window
    }
    #expect(try window(.mistral) { _ in } == 8)
    #expect(try window(.mistral) { $0["sliding_window"] = NSNull() } == 0)
    #expect(try window(.llama) { $0["sliding_window"] = 8 } == 0)
    let sliding: (inout [String: Any]) -> Void = {
      $0["use_sliding_window"] = true
      $0["layer_types"] = NSNull()
      $0["max_window_layers"] = 0
    }
    #expect(
      try window(.qwen2) {
        sliding(&$0); $0["sliding_window"] = nil
      } == 4096)
    #expect(
      try window(.qwen2) {
        sliding(&$0); $0["sliding_window"] = NSNull()
      } == 0)
  }

  @Test("that ties a head to the embedding does so only where the file has no other")
  func tiedHead() throws {
    let tied = try fields(.llama) { $0["tie_word_embeddings"] = true }
    #expect(try distance(load(.llama, tied), from: .llama) < 1e-4)

    var contents = try MemoryTensorFile.contents(of: SafetensorsFile(path: TinyModel.llama.folder))
    func isTied() throws -> Bool {
      try ModelConfiguration(fields: tied, file: MemoryTensorFile(contents)).tiedEmbeddings
    }
    #expect(try !isTied())
    let embedding = try #require(contents["model.embed_tokens.weight"])
    contents["lm_head.weight"]?.bytes = embedding.bytes
    #expect(try isTied())
    contents["lm_head.weight"] = nil
    #expect(try isTied())
  }

  @Test("in GGUF may say by what scores are multiplied")
  func attentionScale() throws {
    var twin = try GGUFTwin(.llama)
    twin.metadata["llama.attention.scale"] = .float(0.25)  // 1/√16, as without it
    #expect(try distance(twin.load(), from: .llama) < 1e-4)
    twin.metadata["llama.attention.scale"] = .float(1)
    #expect(try distance(twin.load(), from: .llama) > 0.001)
  }
}

extension [String: Any] {
  /// Moves `rope_theta` from `rope_parameters` to the top.
  fileprivate mutating func moveTheta() {
    var inner = self["rope_parameters"] as? [String: Any]
    self["rope_theta"] = inner?.removeValue(forKey: "rope_theta")
    self["rope_parameters"] = inner
  }
}
