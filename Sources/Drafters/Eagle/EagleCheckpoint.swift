import LanguageModels
import ModelFiles

/// An EAGLE checkpoint: its tensors under the names that `TransformerModel` knows, and what
/// config.json says in its several forms.
final class EagleCheckpoint: TensorFile {
  let version: EagleVersion
  /// The whole config.json.
  let fields: ConfigurationFields
  let tensors: [String: TensorInfo]
  private let file: any TensorFile
  /// Of each name here the file's.
  private let originals: [String: String]

  var path: String { file.path }

  /// - Throws: `LanguageModelError` when it is no EAGLE checkpoint.
  init(_ file: any TensorFile, fields: ConfigurationFields) throws {
    guard let version = EagleLayout.version(of: file.tensors.keys) else {
      throw LanguageModelError.missingTensor(
        file: file.path, tensor: EagleLayout.name(of: .fusion, in: .eagle1), expected: [])
    }
    self.version = version
    self.file = file
    self.fields = fields
    var originals: [String: String] = [:]
    for name in file.tensors.keys.sorted() {
      originals[EagleLayout.tensor(named: name).map(Self.name) ?? name] = name
    }
    self.originals = originals
    tensors = originals.compactMapValues { file.tensors[$0] }
  }

  /// What the model's loader calls a tensor.
  private static func name(of tensor: EagleTensor) -> String {
    let name = EagleLayout.name(of: tensor, in: .eagle1)
    return tensor == .outputNorm || name.hasPrefix("layers.") ? "model." + name : name
  }

  func has(_ tensor: EagleTensor) -> Bool { tensors[Self.name(of: tensor)] != nil }

  func data(of name: String) throws -> UnsafeRawBufferPointer {
    guard let original = originals[name] else {
      throw ModelFileError.missingTensor(path: path, name: name)
    }
    return try file.data(of: original)
  }

  func releasePages(of name: String) {
    if let original = originals[name] { file.releasePages(of: original) }
  }

  /// A matrix with its bias, if the file has one.
  func linear(
    _ tensor: EagleTensor, rows: Int, columns: Int, bias: EagleTensor, exact: Bool,
    pool: ComputePool
  ) throws -> PackedLinear {
    try PackedLinear(
      weights: floats(of: Self.name(of: tensor), shape: [rows, columns]), rows: rows,
      columns: columns,
      bias: has(bias) ? floats(of: Self.name(of: bias), shape: [rows]) : nil, exact: exact,
      pool: pool)
  }

  /// The checkpoint's own head.
  func head(for target: TransformerModel, exact: Bool) throws -> EagleHead {
    let name = Self.name(of: .head)
    let rows = tensors[name]?.shape.first ?? 0
    let columns = target.hiddenSize
    var weights = try floats(of: name, shape: [rows, columns])
    var tokens = try targetTokens(count: rows, vocabularySize: target.vocabularySize)
    if let unordered = tokens {
      let order = unordered.indices.sorted { unordered[$0] < unordered[$1] }
      let ordered = order.map { unordered[$0] }
      if let twice = zip(ordered, ordered.dropFirst()).first(where: { $0 == $1 }) {
        throw StoreError.malformed(
          path: path, field: "tensor 'd2t'", expected: "each token once",
          found: "token \(twice.0) twice")
      }
      if ordered != unordered {
        weights = order.flatMap { weights[$0 * columns..<($0 + 1) * columns] }
        tokens = ordered
      }
    }
    return .own(
      try PackedLinear(
        weights: weights, rows: rows, columns: columns, exact: exact, pool: target.pool),
      tokens: tokens)
  }

  /// The token of each of the head's rows; nil where row i is token i's.
  private func targetTokens(count: Int, vocabularySize: Int) throws -> [Int32]? {
    guard has(.draftToTarget) else {
      guard count == vocabularySize else {
        throw StoreError.malformed(
          path: path, field: "tensor 'lm_head.weight'",
          expected: "\(vocabularySize) rows, or a tensor 'd2t'", found: "\(count) rows")
      }
      return nil
    }
    let shifts = try integers(of: Self.name(of: .draftToTarget))
    guard shifts.count == count else {
      throw StoreError.malformed(
        path: path, field: "tensor 'd2t'", expected: "\(count) numbers, the rows of lm_head",
        found: "\(shifts.count)")
    }
    return try shifts.enumerated().map { row, shift in
      let (token, overflow) = row.addingReportingOverflow(shift)
      guard !overflow, token >= 0, token < vocabularySize else {
        throw StoreError.malformed(
          path: path, field: "tensor 'd2t', row \(row)",
          expected: "a token from 0 to \(vocabularySize - 1)", found: "\(row) + \(shift)")
      }
      return Int32(token)
    }
  }

  // MARK: - config.json

  /// The decoder layer's fields: at the top, or in an object of their own, as vLLM (`model`) and
  /// speculators (`transformer_layer_config`) write them.
  func layerFields() throws -> ConfigurationFields {
    let objects = ["model", "transformer_layer_config"]
    let inner =
      fields.has("num_hidden_layers") || fields.has("hidden_size")
      ? fields : objects.lazy.compactMap { [fields] in fields.within($0) }.first ?? fields
    guard try inner.int("num_hidden_layers", in: 0...1024, default: 1) == 1 else {
      throw inner.invalid("num_hidden_layers", expected: "1, which EAGLE drafters have")
    }
    return inner
  }

  /// The target's layers whose states are fused. vLLM names them as we do, SGLang by the layer
  /// that comes out, counted from 0.
  func observedLayers(of target: TransformerModel) throws -> [Int] {
    let name = "eagle_aux_hidden_state_layer_ids"
    var layers = EagleLayout.observedLayers(layerCount: target.layerCount)
    var field = name
    if let named = try fields.ints(name) {
      layers = named
    } else if let named = try fields.ints("eagle_config." + name) {
      layers = named.map { $0 < .max ? $0 + 1 : $0 }
      field = "eagle_config." + name
    }
    guard !layers.isEmpty, layers.count <= 16, Set(layers).count == layers.count,
      layers.allSatisfy({ (0...target.layerCount).contains($0) })
    else {
      throw fields.invalid(
        field, expected: "different layers of the target, which has \(target.layerCount)")
    }
    return layers
  }
}
