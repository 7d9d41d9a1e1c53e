import Foundation
import NunchiKernels

/// A small generator, the same on every machine.
struct TestRandom {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func bits() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }

  mutating func below(_ n: Int) -> Int { Int(bits() >> 11) % n }

  /// Uniform in -1 ..< 1.
  mutating func float() -> Float { Float(Double(bits() >> 11) / Double(1 << 53) * 2 - 1) }

  /// Activations as models have them: mostly small, a few large.
  mutating func activations(_ count: Int) -> [Float] {
    (0..<count).map { _ in float() * (below(40) == 0 ? 12 : 1) }
  }
}

let allKinds: [nk_type] = [
  NK_F32, NK_F16, NK_BF16, NK_Q4_0, NK_Q4_1, NK_Q5_0, NK_Q5_1, NK_Q8_0, NK_Q4_K, NK_Q5_K, NK_Q6_K,
]
let allSets: [nk_isa] = [NK_PORTABLE, NK_AVX2, NK_AVX512, NK_AVX512_VNNI]

/// Runs `body` with those of the instruction sets that this machine has, in turn; other threads keep
/// theirs.
func with(_ sets: [nk_isa], _ body: (nk_isa) throws -> Void) rethrows {
  let before = nk_isa_current()
  defer { _ = nk_isa_select(before) }
  for set in sets where nk_isa_select(set) { try body(set) }
}

func name(_ kind: nk_type) -> String {
  [
    0: "F32", 1: "F16", 30: "BF16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0",
    12: "Q4_K", 13: "Q5_K", 14: "Q6_K",
  ][kind.rawValue] ?? "?"
}

/// Random blocks in file format, with scales that are ordinary numbers.
func randomBlocks(_ kind: nk_type, rows: Int, columns: Int, seed: UInt64) -> [UInt8] {
  var random = TestRandom(seed)
  let size = Int(nk_block_bytes(kind))
  let count = rows * columns / Int(nk_block_elements(kind))
  var bytes = (0..<count * size).map { _ in UInt8(truncatingIfNeeded: random.bits()) }
  func put(_ value: UInt16, at offset: Int) {
    bytes[offset] = UInt8(truncatingIfNeeded: value)
    bytes[offset + 1] = UInt8(value >> 8)
  }
  for block in 0..<count {
    let at = block * size
    let scale = UInt16(0x2000 + random.below(2000))
    let minimum = UInt16(0x2000 + random.below(2000))
    switch kind {
    case NK_F32:
      withUnsafeBytes(of: random.float()) { bytes.replaceSubrange(at..<at + 4, with: $0) }
    case NK_F16: put(UInt16(random.below(2) << 15) | UInt16(0x3000 + random.below(0x800)), at: at)
    case NK_BF16: put(UInt16(random.float().bitPattern >> 16), at: at)
    case NK_Q6_K: put(scale, at: at + 208)
    case NK_Q4_0, NK_Q5_0, NK_Q8_0: put(scale, at: at)
    default:
      put(scale, at: at)
      put(minimum, at: at + 2)
    }
  }
  return bytes
}

final class TestPool {
  let pointer: OpaquePointer
  init(_ threads: Int) throws {
    guard let pointer = nk_pool_create(Int32(threads)) else { throw CancellationError() }
    self.pointer = pointer
  }
  deinit { nk_pool_destroy(pointer) }
}

/// A packed matrix and what it stands for.
final class TestMatrix {
  let matrix: nk_matrix
  let bytes: Int
  /// (rows, columns)
  let values: [Float]

  init(_ kind: nk_type, rows: Int, columns: Int, seed: UInt64, pool: TestPool) throws {
    let source = randomBlocks(kind, rows: rows, columns: columns, seed: seed)
    bytes = nk_packed_bytes(kind, Int64(rows), Int64(columns))
    guard let data = nk_allocate(bytes) else { throw CancellationError() }
    var matrix = nk_matrix(type: kind, rows: Int64(rows), columns: Int64(columns), data: data)
    nk_pack(pool.pointer, &matrix, source, 0, Int64(rows))
    self.matrix = matrix
    var values = [Float](repeating: 0, count: rows * columns)
    nk_dequantize(kind, source, &values, Int64(values.count))
    self.values = values
  }

  deinit { nk_free(matrix.data, bytes) }

  /// The product with M activation rows, by the kernels.
  func product(
    with x: [Float], M: Int, pool: TestPool, bias: [Float]? = nil, addingTo base: [Float]? = nil
  ) -> [Float] {
    let rows = Int(matrix.rows), columns = Int(matrix.columns)
    var output = base ?? [Float](repeating: .nan, count: M * rows)
    var quantized = [UInt8](repeating: 0, count: M * nk_quantized_bytes(Int64(columns)))
    var matrix = matrix
    if nk_wants_quantized(matrix.type) {
      nk_quantize(pool.pointer, x, Int64(M), Int64(columns), &quantized)
    }
    output.withUnsafeMutableBufferPointer { output in
      (bias ?? []).withUnsafeBufferPointer { bias in
        withUnsafePointer(to: &matrix) { matrix in
          var product = nk_product(
            matrix: matrix, bias: bias.isEmpty ? nil : bias.baseAddress,
            output: output.baseAddress, output_stride: Int64(rows), accumulate: base != nil)
          nk_linear(pool.pointer, &product, 1, x, quantized, Int64(M))
        }
      }
    }
    return output
  }
}

/// Bitwise equality, NaN included.
func sameBits(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern }
}

func sameBits(_ a: [Float], _ b: [Float]) -> Bool { sameBits(a[...], b[...]) }
