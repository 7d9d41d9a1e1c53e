import Foundation
import LanguageModels
import ModelFiles

/// An affine map from a draft model's states to the target's: h_target ≈ W · h_draft + b, both as
/// after the models' last norms. Immutable.
public final class AffineMap: Sendable {
  /// What a file says of its origin.
  public struct Origin: Codable, Sendable, Equatable {
    public var draft: String
    public var target: String
    /// Of the shared vocabulary, in hexadecimal digits.
    public var vocabulary: String
    /// `least-squares` or `gradient`.
    public var method: String
    /// Rows that it was fitted to.
    public var rows: Int
    /// Figures on held-out text, by name.
    public var figures: [String: Double]

    public init(
      draft: String, target: String, vocabulary: String, method: String, rows: Int,
      figures: [String: Double]
    ) {
      self.draft = draft
      self.target = target
      self.vocabulary = vocabulary
      self.method = method
      self.rows = rows
      self.figures = figures
    }
  }

  public let path: String
  public let origin: Origin
  /// Whether rows are normalised, to mean 0 and variance 1, before they are mapped.
  public let normalises: Bool
  public let hasBias: Bool
  /// The draft model's hidden size, and the target's.
  public var inputs: Int { linear.columns }
  public var outputs: Int { linear.rows }
  /// Bytes of its weights in memory.
  public var byteCount: Int { linear.byteCount }
  private let linear: PackedLinear

  static let format = "nunchi-affine-map"
  static let epsilon: Float = 1e-5

  /// Reads a file.
  /// - Parameters:
  ///   - draft: the draft model's hidden size.
  ///   - target: the target's.
  /// - Throws: `ModelFileError`, `StoreError` or `LanguageModelError`, naming file and field.
  public init(path: String, draft: Int, target: Int, pool: ComputePool) throws {
    let file = try SafetensorsFile(path: path)
    self.path = path
    let metadata = try TensorFileMetadata(file, format: Self.format)
    origin = try metadata.value("origin")
    normalises = try metadata.flag("normalises")
    let shape = file.tensors["weight"]?.shape ?? []
    guard shape == [target, draft] else {
      throw StoreError.malformed(
        path: path, field: "weight",
        expected: "shape [\(target), \(draft)], from "
          + "the draft model's states to the target's", found: shape.isEmpty ? "none" : "\(shape)")
    }
    hasBias = file.tensors["bias"] != nil
    linear = try PackedLinear(
      file: file, tensor: "weight", rows: target, columns: draft,
      bias: hasBias ? try file.floats(of: "bias", shape: [target]) : nil, pool: pool)
  }

  /// Writes a file, whole or not at all.
  /// - Parameters:
  ///   - weight: (outputs, inputs)
  ///   - bias: (outputs)
  /// - Throws: `ModelFileError`.
  public static func write(
    to path: String, weight: [Float], bias: [Float]?, inputs: Int, outputs: Int,
    normalises: Bool, origin: Origin
  ) throws {
    precondition(weight.count == inputs * outputs, "(outputs, inputs)")
    let writer = try SafetensorsWriter(
      path: path,
      tensors: [TensorInfo(name: "weight", type: .bf16, shape: [outputs, inputs])]
        + (bias == nil ? [] : [TensorInfo(name: "bias", type: .f32, shape: [outputs])]),
      metadata: try TensorFileMetadata.strings(
        format: format, ["origin": origin], flags: ["normalises": normalises]))
    try weight.withUnsafeBufferPointer { try writer.append($0, to: "weight") }
    try bias?.withUnsafeBufferPointer { try writer.append($0, to: "bias") }
    try writer.finish()
  }

  /// Maps rows.
  /// - Parameters:
  ///   - states: (rows, inputs)
  ///   - aligned: (rows, outputs)
  public func apply(
    _ states: UnsafePointer<Float>, rows: Int, into aligned: UnsafeMutablePointer<Float>
  ) {
    guard normalises else { return linear.apply(states, rows: rows, into: aligned) }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: rows * inputs) { buffer in
      guard let base = buffer.baseAddress else { return }
      base.update(from: states, count: rows * inputs)
      for row in 0..<rows { Self.normalise(base + row * inputs, count: inputs) }
      linear.apply(base, rows: rows, into: aligned)
    }
  }

  /// Brings a row to mean 0 and variance 1 (layer norm without weights, 1607.06450).
  public static func normalise(_ row: UnsafeMutablePointer<Float>, count: Int) {
    var (sum, squares) = (0.0, 0.0)
    for index in 0..<count { sum += Double(row[index]) }
    let mean = sum / Double(count)
    for index in 0..<count {
      let difference = Double(row[index]) - mean
      squares += difference * difference
    }
    let scale = 1 / (squares / Double(count) + Double(epsilon)).squareRoot()
    for index in 0..<count { row[index] = Float((Double(row[index]) - mean) * scale) }
  }
}

/// The strings that a tensor file has beside its tensors.
struct TensorFileMetadata {
  private let path: String
  private let strings: [String: String]

  /// - Throws: `StoreError.malformed` for a file of another format.
  init(_ file: SafetensorsFile, format: String) throws {
    path = file.path
    strings = file.metadata
    guard strings["format"] == format else {
      throw StoreError.malformed(
        path: path, field: "format", expected: format, found: strings["format"] ?? "none")
    }
  }

  static func strings(
    format: String, _ values: [String: any Encodable], flags: [String: Bool] = [:]
  ) throws -> [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var strings = ["format": format]
    for (name, value) in values {
      strings[name] = String(decoding: try encoder.encode(value), as: UTF8.self)
    }
    for (name, flag) in flags { strings[name] = "\(flag)" }
    return strings
  }

  func value<Value: Decodable>(_ name: String) throws -> Value {
    guard let text = strings[name],
      let value = try? JSONDecoder().decode(Value.self, from: Data(text.utf8))
    else {
      throw StoreError.malformed(
        path: path, field: name, expected: "JSON of \(Value.self)",
        found: strings[name] ?? "nothing")
    }
    return value
  }

  func flag(_ name: String) throws -> Bool {
    guard let value = strings[name].flatMap(Bool.init) else {
      throw StoreError.malformed(
        path: path, field: name, expected: "true or false", found: strings[name] ?? "nothing")
    }
    return value
  }
}
