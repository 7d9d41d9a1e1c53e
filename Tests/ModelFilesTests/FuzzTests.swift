import Foundation
import Testing

@testable import ModelFiles

/// Thousands of damaged files, the same ones in every run: each opens or gives a
/// `ModelFileError`, and what opens can be read to its last byte.
@Suite struct FuzzTests {
  /// Changes some bytes, cuts, repeats or inserts.
  private static func mutate(
    _ bytes: [UInt8], headerLength: Int, using generator: inout SeededGenerator
  ) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...2, using: &generator) {
      guard !bytes.isEmpty else { break }
      // Mostly in the header, where it matters.
      let limit =
        Int.random(in: 0..<8, using: &generator) == 0
        ? bytes.count : min(headerLength, bytes.count)
      let place = Int.random(in: 0..<limit, using: &generator)
      switch Int.random(in: 0..<7, using: &generator) {
      case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
      case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 2:
        let extremes: [UInt8] = [0, 1, 0x7F, 0x80, 0xFF, UInt8(ascii: "9"), UInt8(ascii: "[")]
        let value = extremes.randomElement(using: &generator) ?? 0
        for index in place..<min(place + 8, bytes.count) { bytes[index] = value }
      case 3: bytes.removeSubrange(place...)
      case 4:
        bytes.removeSubrange(
          place..<min(place + Int.random(in: 1...16, using: &generator), bytes.count))
      case 5:
        let end = min(place + Int.random(in: 1...64, using: &generator), bytes.count)
        bytes.insert(contentsOf: bytes[place..<end], at: place)
      default:
        // A plausible number in place of a 64-bit one.
        var number: [UInt8] = []
        number.append(
          littleEndian: UInt64(1) << UInt64.random(in: 0..<64, using: &generator))
        for (index, byte) in number.enumerated() where place + index < bytes.count {
          bytes[place + index] = byte
        }
      }
    }
    return bytes
  }

  /// Reads every byte and counts them; `noinline`, so that the reading stays.
  @inline(never)
  private static func touch(_ data: UnsafeRawBufferPointer) -> Int {
    data.reduce(0) { $0 + ($1 == 0 ? 1 : $1.nonzeroBitCount / $1.nonzeroBitCount) }
  }

  private func fuzz(
    _ original: [UInt8], headerLength: Int, seed: UInt64, count: Int,
    open: (String) throws -> any TensorFile
  ) throws -> (opened: Int, refused: Int) {
    let folder = try TemporaryFolder()
    var generator = SeededGenerator(seed: seed)
    var opened = 0
    var refused = 0
    for round in 0..<count {
      let bytes = Self.mutate(original, headerLength: headerLength, using: &generator)
      let path = try folder.write(bytes, as: "fuzz")
      do {
        let file = try open(path)
        let size = try withExtendedLifetime(file) {
          try file.tensors.keys.reduce(0) { try $0 + Self.touch(file.data(of: $1)) }
        }
        #expect(size == file.tensors.values.reduce(0) { $0 + ($1.byteCount ?? -1) }, "\(round)")
        opened += 1
      } catch is ModelFileError {
        refused += 1
      }
    }
    return (opened, refused)
  }

  @Test("Damaged GGUF files open or are refused", arguments: 1...4 as ClosedRange<UInt64>)
  func gguf(seed: UInt64) throws {
    let writer = GGUFWriter.sample
    let bytes = writer.bytes()
    let header = bytes.count - writer.tensors.reduce(0) { $0 + $1.data.count }
    let (opened, refused) = try fuzz(bytes, headerLength: header, seed: seed, count: 1000) {
      let file = try GGUFFile(path: $0)
      for case .strings(let strings) in file.metadata.values {
        for index in strings.indices { _ = strings.string(at: index) }
      }
      return file
    }
    // Both happen, or the mutations would be too weak or too strong.
    #expect(opened > 10)
    #expect(refused > 300)
  }

  @Test("Damaged safetensors files open or are refused", arguments: 1...4 as ClosedRange<UInt64>)
  func safetensors(seed: UInt64) throws {
    let bytes = SafetensorsTests.sample
    let (opened, refused) = try fuzz(
      bytes, headerLength: bytes.count - 20, seed: seed, count: 1000
    ) { try SafetensorsFile(path: $0) }
    #expect(opened > 10)
    #expect(refused > 300)
  }
}
