import Foundation
@testable import LanguageModels
import ModelFiles
import Testing

/// A tiny random model that transformers wrote, with the logits that it gave.
/// `Scripts/make_model_goldens.py` makes them.
enum TinyModel: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case llama
  case llama3Scaled = "llama3-scaled"
  case llamaLinear = "llama-linear"
  case llamaYarn = "llama-yarn"
  case mistral
  case qwen2
  case qwen3
  case gemma3

  var testDescription: String { rawValue }

  var folder: String {
    Bundle.module.bundleURL.appendingPathComponent("Goldens/\(rawValue)").path
  }

  func load(threads: Int = 2) throws -> TransformerModel {
    try TransformerModel(folder: folder, pool: ComputePool(threads: threads))
  }

  func tokens() throws -> [Int32] {
    try JSONDecoder().decode([Int32].self, from: contents("tokens.json"))
  }

  /// transformers' logits in float32. (tokens, vocabulary)
  func logits() throws -> [Float] {
    let data = try contents("logits.f32")
    return stride(from: 0, to: data.count, by: 4).map { offset in
      Float(
        bitPattern: (0..<4).reduce(0) { $0 | UInt32(data[offset + $1]) << UInt32(8 * $1) })
    }
  }

  private func contents(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: folder).appendingPathComponent(name))
  }
}

extension FloatRows {
  /// All rows, copied.
  var values: [Float] { (0..<rows).flatMap { Array(self[$0]) } }
  /// One row's bit patterns: what bitwise equality compares.
  func bits(_ row: Int) -> [UInt32] { self[row].map(\.bitPattern) }
}

/// A random number generator with a seed, so that failures repeat.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Tensors in memory that a test can change.
final class MemoryTensorFile: TensorFile {
  let path = "memory"
  let tensors: [String: TensorInfo]
  private let bytes: [String: [UInt8]]
  nonisolated(unsafe) private let pointers: [String: UnsafeRawBufferPointer]

  init(_ contents: [String: (info: TensorInfo, bytes: [UInt8])]) {
    tensors = contents.mapValues(\.info)
    bytes = contents.mapValues(\.bytes)
    pointers = bytes.mapValues { bytes in
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
      copy.copyBytes(from: bytes)
      return UnsafeRawBufferPointer(copy)
    }
  }

  deinit { pointers.values.forEach { $0.deallocate() } }

  func data(of name: String) throws -> UnsafeRawBufferPointer {
    try #require(pointers[name])
  }

  func releasePages(of name: String) {}

  /// The tensors of another file.
  static func contents(
    of file: some TensorFile
  ) throws -> [String: (info: TensorInfo, bytes: [UInt8])] {
    try Dictionary(
      uniqueKeysWithValues: file.tensors.map { name, info in
        (name, (info, Array(try file.data(of: name))))
      })
  }
}
