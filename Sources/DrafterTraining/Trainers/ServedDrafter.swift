import Drafters
import Foundation
import LanguageModels
import ModelFiles

/// Writes trained drafters as vLLM and SGLang load them. What `nunchi train` writes now is so
/// already; older folders, and the drafters that come with Nunchi, lack a tensor or two.
public enum ServedDrafter {
  public enum Server: String, Sendable, CaseIterable {
    case vllm, sglang

    /// The methods that it has a class for.
    var methods: [String] {
      switch self {
      case .vllm: ["eagle", "eagle3", "medusa", "tiny-lm"]
      case .sglang: ["eagle", "eagle3", "tiny-lm"]
      }
    }
  }

  /// - Parameters:
  ///   - server: the one that is to load it; nil writes what all load that know the method.
  ///   - target: the model that it drafts for.
  ///   - output: the folder to write.
  /// - Throws: `TrainingError.setting` for a method that the server does not know, and what is
  ///   wrong with the drafter's files.
  public static func write(
    _ drafter: TrainedDrafter, for server: Server? = nil, target: TransformerModel,
    to output: String
  ) throws {
    let known = (server.map { [$0] } ?? Server.allCases).flatMap(\.methods)
    guard known.contains(drafter.method) else {
      throw TrainingError.setting(
        name: "drafter for \(server?.rawValue ?? "servers")",
        expected: "one of \(Array(Set(known)).sorted().joined(separator: ", "))",
        found: drafter.method)
    }
    func path(_ name: String, in folder: String = drafter.folder) -> String { "\(folder)/\(name)" }
    let files = FileManager.default
    guard !files.fileExists(atPath: path("model.safetensors", in: output)) else {
      throw TrainingError.file(path: output, reason: "expected a new folder, found a drafter in it")
    }
    try makeFolder(output)

    var parts = try Parts(folder: drafter.folder)
    switch EagleVersion(rawValue: drafter.method) {
    case .eagle1: parts.adaptEagle(hidden: target.hiddenSize, for: server)
    case .eagle3: parts.adaptEagle3(vocabularySize: target.vocabularySize)
    case nil: if drafter.method == "medusa" { try parts.adaptMedusa(drafter, target) }
    }
    try parts.write(to: output)
    for name in [DrafterCard.fileName, "README.md", drafter.card?.frequentTokens].compactMap(\.self)
    where files.fileExists(atPath: path(name)) {
      do {
        try files.copyItem(atPath: path(name), toPath: path(name, in: output))
      } catch {
        throw TrainingError.file(
          path: path(name, in: output), reason: "cannot be written: \(error)")
      }
    }
  }

  /// A drafter's configuration and tensors, with what is added and left out.
  private struct Parts {
    private var configuration: [String: Any]
    private let file: SafetensorsFile
    private var leftOut: Set<String> = []
    private var added: [(name: String, values: Tensor)] = []
    private var tables: [(name: String, values: [Int64])] = []

    init(folder: String) throws {
      let path = "\(folder)/config.json"
      let json = FileManager.default.contents(atPath: path) ?? Data()
      guard let fields = try? JSONSerialization.jsonObject(with: json) as? [String: Any] else {
        throw TrainingError.file(path: path, reason: "expected a JSON object, found none")
      }
      configuration = fields
      file = try SafetensorsFile(path: folder)
    }

    /// vLLM before 0.25 stops at a bias that it has no place for; later ones pass it by.
    mutating func adaptEagle(hidden: Int, for server: Server?) {
      configuration["architectures"] = EagleLayout.architectures(of: .eagle1)
      let bias = EagleLayout.name(of: .fusionBias, in: .eagle1)
      if server == .vllm {
        leftOut.insert(bias)
      } else if file.tensors[bias] == nil {
        added.append((bias, Tensor(shape: [hidden])))
      }
    }

    /// vLLM has no place for the tables of a head that has all tokens.
    mutating func adaptEagle3(vocabularySize: Int) {
      configuration["architectures"] = EagleLayout.architectures(of: .eagle3)
      let head = EagleLayout.name(of: .head, in: .eagle3)
      guard file.tensors[head]?.shape.first == vocabularySize else { return }
      leftOut = Set(
        [EagleTensor.draftToTarget, .targetToDraft].map { EagleLayout.name(of: $0, in: .eagle3) })
    }

    mutating func adaptMedusa(_ drafter: TrainedDrafter, _ target: TransformerModel) throws {
      guard configuration["original_lm_head"] as? Bool == true,
        file.tensors[MedusaLayout.targetOutput] == nil
      else { return }
      let tokens = drafter.frequent?.tokens.sorted()
      let rows = try target.headRows(tokens)
      added.append(
        (
          MedusaLayout.targetOutput,
          Tensor(shape: [rows.count / target.hiddenSize, target.hiddenSize], rows)
        ))
      if let tokens {
        configuration["truncated_vocab_size"] = tokens.count
        tables.append((MedusaLayout().tokenMap, tokens.map(Int64.init)))
      }
    }

    func write(to folder: String) throws {
      let kept = file.tensors.values.filter { !leftOut.contains($0.name) }.sorted {
        $0.name < $1.name
      }
      let writer = try SafetensorsWriter(
        path: "\(folder)/model.safetensors",
        tensors: kept
          + added.map { TensorInfo(name: $0.name, type: .bf16, shape: $0.values.shape) }
          + tables.map { TensorInfo(name: $0.name, type: .i64, shape: [$0.values.count]) },
        metadata: file.metadata)
      for info in kept { try writer.append(bytes: file.data(of: info.name), to: info.name) }
      for (name, values) in added { try writer.append(values.values, to: name) }
      for (name, values) in tables { try writer.append(values, to: name) }
      try writer.finish()
      try AtomicFile.write(
        try JSONSerialization.data(
          withJSONObject: configuration,
          options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]),
        to: "\(folder)/config.json")
    }
  }
}
