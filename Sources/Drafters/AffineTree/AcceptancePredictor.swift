import Foundation
import LanguageModels
import ModelFiles

/// A small network that predicts whether the target accepts a candidate, given that it accepts the
/// candidate's parent. Immutable.
///
/// It sees the state that the candidate was proposed from (aligned or the draft model's own), and
/// what `CandidateFeatures` says of the candidate: two layers with GELU, and two answers, one for
/// greedy decoding (is it the target's most probable token?) and one for sampling (the target's
/// p of it at temperature 1). The part of the first layer that sees the state is computed once
/// for all candidates of a node.
public final class AcceptancePredictor: Sendable {
  /// Which state it sees.
  public enum Input: String, Codable, Sendable, CaseIterable {
    case aligned, draft, none
  }

  /// z / temperature + bias of each answer's logit z, fitted on held-out text
  /// (Guo and others, 1706.04599; Platt's scaling).
  public struct Calibration: Codable, Sendable, Equatable {
    public var temperature = 1.0
    public var bias = 0.0

    public init(temperature: Double = 1, bias: Double = 0) {
      self.temperature = temperature
      self.bias = bias
    }

    /// The calibrated probability of a logit.
    public func probability(_ logit: Double) -> Double {
      1 / (1 + exp(-(logit / temperature + bias)))
    }
  }

  /// What a file says of itself.
  public struct Card: Codable, Sendable, Equatable {
    public var input: Input
    public var draft: String
    public var target: String
    public var vocabulary: String
    /// Of the answers for greedy decoding and for sampling.
    public var calibrations: [Calibration]
    /// Figures on held-out text, by name.
    public var figures: [String: Double]

    public init(
      input: Input, draft: String, target: String, vocabulary: String,
      calibrations: [Calibration] = [Calibration(), Calibration()],
      figures: [String: Double] = [:]
    ) {
      self.input = input
      self.draft = draft
      self.target = target
      self.vocabulary = vocabulary
      self.calibrations = calibrations
      self.figures = figures
    }
  }

  public let path: String
  public let card: Card
  /// Numbers of the state that it sees.
  public let stateSize: Int
  /// Bytes of its weights in memory.
  public var byteCount: Int {
    (state?.byteCount ?? 0) + 4 * firstBias.count + features.byteCount + second.byteCount
      + last.byteCount
  }
  /// The first layer's part for states, with the bias; without states only the bias is there.
  private let state: PackedLinear?
  private let firstBias: [Float]
  private let features: PackedLinear
  private let second: PackedLinear
  private let last: PackedLinear

  static let format = "nunchi-acceptance-predictor"
  static let answers = 2

  /// Names of tensors.
  public enum Name {
    public static let state = "state.weight"
    public static let features = "features.weight"
    public static let first = "first.bias"
    public static let second = "second"
    public static let last = "last"
  }

  /// Reads a file.
  /// - Parameter stateSize: of the state that it sees, by its input.
  /// - Throws: `ModelFileError`, `StoreError` or `LanguageModelError`, naming file and field.
  public init(path: String, stateSize: (Input) throws -> Int, pool: ComputePool) throws {
    let file = try SafetensorsFile(path: path)
    let card: Card = try TensorFileMetadata(file, format: Self.format).value("card")
    guard card.calibrations.count == Self.answers,
      card.calibrations.allSatisfy({ $0.temperature > 0 && $0.bias.isFinite })
    else {
      throw StoreError.malformed(
        path: path, field: "calibrations", expected: "two, with temperatures above 0",
        found: "\(card.calibrations)")
    }
    func rows(_ name: String) throws -> Int {
      guard let rows = file.tensors[name]?.shape.first, (1...65_536).contains(rows) else {
        throw StoreError.malformed(
          path: path, field: name, expected: "a matrix of 1 to 65536 rows",
          found: file.tensors[name].map { "shape \($0.shape)" } ?? "nothing")
      }
      return rows
    }
    func layer(_ name: String, rows: Int, columns: Int) throws -> PackedLinear {
      try PackedLinear(
        file: file, tensor: "\(name).weight", rows: rows, columns: columns,
        bias: try file.floats(of: "\(name).bias", shape: [rows]), pool: pool)
    }
    self.path = path
    self.card = card
    let first = try rows(Name.features)
    let middle = try rows("\(Name.second).weight")
    firstBias = try file.floats(of: Name.first, shape: [first])
    self.stateSize = try stateSize(card.input)
    state =
      card.input == .none
      ? nil
      : try PackedLinear(
        file: file, tensor: Name.state, rows: first, columns: self.stateSize, bias: firstBias,
        pool: pool)
    features = try PackedLinear(
      file: file, tensor: Name.features, rows: first, columns: CandidateFeatures.count,
      pool: pool)
    second = try layer(Name.second, rows: middle, columns: first)
    last = try layer(Name.last, rows: Self.answers, columns: middle)
  }

  /// Of weights in memory, without states.
  /// - Parameters:
  ///   - features: (hidden, `CandidateFeatures.count`)
  ///   - second: (middle, hidden)
  ///   - last: (2, middle)
  /// - Throws: `LanguageModelError.notEnoughMemory`.
  public init(
    features: [Float], firstBias: [Float], second: [Float], secondBias: [Float], last: [Float],
    lastBias: [Float], pool: ComputePool
  ) throws {
    path = "memory"
    card = Card(input: .none, draft: "", target: "", vocabulary: "")
    stateSize = 0
    state = nil
    self.firstBias = firstBias
    self.features = try PackedLinear(
      weights: features, rows: firstBias.count, columns: CandidateFeatures.count, exact: true,
      pool: pool)
    self.second = try PackedLinear(
      weights: second, rows: secondBias.count, columns: firstBias.count, bias: secondBias,
      exact: true, pool: pool)
    self.last = try PackedLinear(
      weights: last, rows: Self.answers, columns: secondBias.count, bias: lastBias, exact: true,
      pool: pool)
  }

  /// Writes a file, whole or not at all.
  /// - Parameter tensors: with the names of `Name`; matrices of the two further layers end in
  ///   `.weight`, their biases in `.bias`.
  /// - Throws: `ModelFileError`.
  public static func write(
    to path: String, tensors: [(name: String, shape: [Int], values: [Float], type: TensorType)],
    card: Card
  ) throws {
    let writer = try SafetensorsWriter(
      path: path,
      tensors: tensors.map { TensorInfo(name: $0.name, type: $0.type, shape: $0.shape) },
      metadata: try TensorFileMetadata.strings(format: format, ["card": card]))
    for tensor in tensors { try writer.append(tensor.values, to: tensor.name) }
    try writer.finish()
  }

  /// The chances of candidates.
  /// - Parameters:
  ///   - families: the candidates of some nodes.
  ///   - states: what the network sees of each node. (families, stateSize)
  ///   - isGreedy: which of the two answers is wanted.
  public func probabilities(
    of families: [CandidateFamily], states: UnsafePointer<Float>?, isGreedy: Bool
  ) -> [[Double]] {
    let counts = families.map(\.logProbabilities.count)
    let rows = counts.reduce(0, +)
    guard rows > 0 else { return families.map { _ in [] } }
    let (wide, middle) = (features.rows, second.rows)
    return withUnsafeTemporaryAllocation(
      of: Float.self,
      capacity: rows * (CandidateFeatures.count + wide + middle + Self.answers)
        + families.count * wide
    ) { buffer in
      guard let input = buffer.baseAddress else { return [] }
      let hidden = input + rows * CandidateFeatures.count
      let narrow = hidden + rows * wide
      let answers = narrow + rows * middle
      let base = answers + rows * Self.answers
      var row = 0
      for family in families {
        for rank in family.logProbabilities.indices {
          CandidateFeatures.write(family, rank: rank, to: input + row * CandidateFeatures.count)
          row += 1
        }
      }
      features.apply(input, rows: rows, into: hidden)
      if let state, let states {
        state.apply(states, rows: families.count, into: base)
      } else {
        for index in families.indices {
          for column in 0..<wide { base[index * wide + column] = firstBias[column] }
        }
      }
      row = 0
      for (index, count) in counts.enumerated() {
        for _ in 0..<count {
          for column in 0..<wide { hidden[row * wide + column] += base[index * wide + column] }
          row += 1
        }
      }
      features.pool.gelu(hidden, count: rows * wide)
      second.apply(hidden, rows: rows, into: narrow)
      second.pool.gelu(narrow, count: rows * middle)
      last.apply(narrow, rows: rows, into: answers)
      let answer = isGreedy ? 0 : 1
      row = 0
      return counts.map { count in
        (0..<count).map { _ in
          defer { row += 1 }
          return card.calibrations[answer].probability(
            Double(answers[row * Self.answers + answer]))
        }
      }
    }
  }
}

/// What the predictor is told of a candidate beside the state.
public enum CandidateFeatures {
  /// A part of the features, for ablations.
  public enum Group: String, Sendable, CaseIterable {
    case probability, entropy, depth, rank
  }

  static let depths = 8
  static let ranks = 8
  public static let count = 3 + depths + ranks

  /// The features of a group.
  public static func range(of group: Group) -> Range<Int> {
    switch group {
    case .probability: 0..<2
    case .entropy: 2..<3
    case .depth: 3..<3 + depths
    case .rank: 3 + depths..<count
    }
  }

  /// Writes those of one candidate. (count)
  /// - Parameter rank: among its siblings, from 0 on.
  public static func write(
    _ family: CandidateFamily, rank: Int, to features: UnsafeMutablePointer<Float>
  ) {
    features.update(repeating: 0, count: count)
    let bounded = max(-20, family.logProbabilities[rank])
    features[0] = Float(bounded / 4)
    features[1] = Float(exp(bounded))
    features[2] = Float(family.entropy / 4)
    features[3 + min(depths, max(1, family.depth)) - 1] = 1
    features[3 + depths + min(ranks - 1, rank)] = 1
  }
}
