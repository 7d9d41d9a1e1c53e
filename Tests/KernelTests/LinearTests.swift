import Foundation
import NunchiKernels
import Testing
import VNNIEmulation

@Suite("Matrix products")
struct LinearTests {
  @Test(
    "A row's product has the same bits for 1 to 64 rows, every set and 1 to 3 threads",
    arguments: allKinds)
  func rowCountInvariance(kind: nk_type) throws {
    let rows = 40, columns = 512, most = 64
    let pools = try [1, 2, 3].map { try TestPool($0) }
    let weights = try TestMatrix(kind, rows: rows, columns: columns, seed: 7, pool: pools[1])
    var random = TestRandom(11)
    let x = random.activations(most * columns)
    // The reference: each row alone.
    var alone: [Float] = []
    with([NK_PORTABLE]) { _ in
      for m in 0..<most {
        alone += weights.product(
          with: Array(x[m * columns..<(m + 1) * columns]), M: 1, pool: pools[0])
      }
    }
    with(allSets) { set in
      for M in 1...most where set != NK_PORTABLE || M <= 9 || M == most {
        let product = weights.product(with: x, M: M, pool: pools[M % 3])
        #expect(
          sameBits(product[...], alone[..<(M * rows)]),
          "\(name(kind)), \(String(cString: nk_isa_name(set))), \(M) rows")
      }
    }
  }

  @Test(
    "The VNNI kernels, their instruction emulated, have the portable ones' bits",
    .enabled(if: vnni_emulation_runs()), arguments: allKinds.filter { nk_wants_quantized($0) })
  func emulatedVNNI(kind: nk_type) throws {
    let rows = 40, columns = 512, most = 17
    let pool = try TestPool(1)
    let weights = try TestMatrix(kind, rows: rows, columns: columns, seed: 13, pool: pool)
    var random = TestRandom(17)
    let x = random.activations(most * columns)
    var reference: [Float] = []
    with([NK_PORTABLE]) { _ in reference = weights.product(with: x, M: most, pool: pool) }
    var quantized = [UInt8](repeating: 0, count: most * nk_quantized_bytes(Int64(columns)))
    nk_quantize(pool.pointer, x, Int64(most), Int64(columns), &quantized)
    for M in 1...most {
      var output = [Float](repeating: .nan, count: M * rows)
      var matrix = weights.matrix
      output.withUnsafeMutableBufferPointer { output in
        withUnsafePointer(to: &matrix) {
          var product = nk_product(
            matrix: $0, bias: nil, output: output.baseAddress, output_stride: Int64(rows),
            accumulate: false)
          vnni_emulation_linear(&product, quantized, Int64(M))
        }
      }
      #expect(sameBits(output[...], reference[..<(M * rows)]), "\(name(kind)), \(M) rows")
    }
  }

  @Test("Products are close to those of the dequantized weights", arguments: allKinds)
  func closeToFloat(kind: nk_type) throws {
    let rows = 33, columns = 1024, M = 5
    let pool = try TestPool(2)
    let weights = try TestMatrix(kind, rows: rows, columns: columns, seed: 3, pool: pool)
    var random = TestRandom(5)
    let x = (0..<M * columns).map { _ in random.float() }
    let product = weights.product(with: x, M: M, pool: pool)
    var error = 0.0, size = 0.0
    for m in 0..<M {
      for r in 0..<rows {
        var exact = 0.0
        for k in 0..<columns {
          exact += Double(weights.values[r * columns + k]) * Double(x[m * columns + k])
        }
        error += (exact - Double(product[m * rows + r])) * (exact - Double(product[m * rows + r]))
        size += exact * exact
      }
    }
    // int8 activations: about 1/127/sqrt(12) of the largest of 16; floats: rounding only.
    let limit = nk_wants_quantized(kind) ? 8e-3 : 1e-6
    #expect((error / size).squareRoot() < limit, "\(name(kind))")
  }

  @Test("A bias is added, and accumulating adds to what was there", arguments: [NK_F32, NK_Q4_1])
  func biasAndAccumulate(kind: nk_type) throws {
    let rows = 20, columns = 64
    let pool = try TestPool(2)
    let weights = try TestMatrix(kind, rows: rows, columns: columns, seed: 1, pool: pool)
    var random = TestRandom(2)
    let x = random.activations(2 * columns)
    let bias = (0..<rows).map { Float($0) }
    let base = (0..<2 * rows).map { Float(100 * $0) }
    let plain = weights.product(with: x, M: 2, pool: pool)
    let both = weights.product(with: x, M: 2, pool: pool, bias: bias, addingTo: base)
    for i in plain.indices {
      #expect(both[i] == (plain[i] + bias[i % rows]) + base[i])
    }
  }

  @Test("Quantized activations have the same bits with every set, extreme values included")
  func quantizedActivations() throws {
    let pool = try TestPool(1)
    var random = TestRandom(9)
    var x = random.activations(32 * 64)
    for i in 0..<32 { x[i] = 0 }
    x[40] = 3e38
    x[70] = Float.leastNormalMagnitude / 8
    x[100] = -0.0
    let bytes = nk_quantized_bytes(Int64(x.count))
    var reference: [UInt8] = []
    with(allSets) { set in
      var quantized = [UInt8](repeating: 0, count: bytes)
      nk_quantize(pool.pointer, x, 1, Int64(x.count), &quantized)
      if reference.isEmpty { reference = quantized }
      #expect(quantized == reference, "\(String(cString: nk_isa_name(set)))")
    }
  }

  @Test("Shapes that cannot be packed have no packed size")
  func unpackableShapes() {
    #expect(nk_packed_bytes(NK_Q4_K, 16, 128) == 0)
    #expect(nk_packed_bytes(NK_Q8_0, 16, 40) == 0)
    #expect(nk_packed_bytes(NK_F32, 0, 16) == 0)
    #expect(nk_packed_bytes(nk_type(99), 16, 256) == 0)
  }

  @Test("Packed weights take at most 1.04 times the file's bytes", arguments: allKinds)
  func packedSize(kind: nk_type) {
    let rows: Int64 = 4096, columns: Int64 = 2048
    let stored = rows * columns / nk_block_elements(kind) * nk_block_bytes(kind)
    #expect(Double(nk_packed_bytes(kind, rows, columns)) <= 1.04 * Double(stored))
  }
}

@Suite("Small kernels")
struct SmallKernelTests {
  @Test("Half precision converts exactly and rounds to even, against the compiler's own type")
  func halfPrecision() {
    let patterns = (0..<UInt16.max).filter { $0 & 0x7c00 != 0x7c00 }
    var floats = [Float](repeating: 0, count: patterns.count)
    nk_dequantize(NK_F16, patterns, &floats, Int64(patterns.count))
    for (pattern, float) in zip(patterns, floats) {
      #expect(float == Float(Float16(bitPattern: pattern)))
    }
  }

  @Test("The largest logit wins, the lowest index on ties, with every set")
  func argmax() {
    var random = TestRandom(21)
    with(allSets) { _ in
      for count in [1, 15, 16, 17, 1000, 1024] {
        var x = (0..<count).map { _ in random.float() }
        #expect(nk_argmax(x, Int64(count)) == Int64(x.firstIndex(of: x.max() ?? 0) ?? -1))
        x[count - 1] = 5
        x[count / 2] = 5
        #expect(nk_argmax(x, Int64(count)) == Int64(count / 2))
      }
      let withNaN: [Float] = [.nan, 1, 3, .nan, 2]
      #expect(nk_argmax(withNaN, 5) == 2)
    }
  }

  @Test("The next value above a limit is found from anywhere, NaN and equals passed over")
  func nextAbove() {
    var random = TestRandom(22)
    with(allSets) { _ in
      for count in [1, 16, 255, 256, 1000] {
        var x = (0..<count).map { _ in random.float() }
        x[count / 3] = .nan
        for limit in [-Float.infinity, 0, x[count - 1], 0.9, .infinity] {
          for begin in [0, 1, count / 2, count - 1, count] {
            let expected = (begin..<count).first { x[$0] > limit } ?? count
            #expect(nk_next_above(x, Int64(begin), Int64(count), limit) == Int64(expected))
          }
        }
      }
    }
  }

  @Test("The first of a race is that of a search of all tokens, with every set")
  func race() {
    var random = TestRandom(24)
    for count in [1, 15, 16, 1000] {
      var x = (0..<count).map { _ in random.float() * 8 }
      if count > 1 { x[0] = .nan }
      let highest = x.filter { !$0.isNaN }.max() ?? 0
      for key in 0..<UInt64(200) {
        let key = key &* 0x9E37_79B9_7F4A_7C15
        var best = (token: -1, arrival: Double.infinity)
        for (token, value) in x.enumerated() where !value.isNaN {
          let number = -log1p(-nk_race_uniform(key, UInt32(token)))
          let arrival = number / exp(Double((value - highest) * 0.7))
          if arrival < best.arrival { best = (token, arrival) }
        }
        with(allSets) { _ in
          #expect(nk_race(x, Int64(count), highest, 0.7, key) == Int64(best.token))
        }
      }
    }
    #expect(nk_race([-Float.infinity], 1, 0, 1, 1) == -1)
  }

  @Test("log(sum(exp)) is exact to a millionth and does not overflow")
  func logSumExp() {
    let x: [Float] = (0..<100).map { Float($0 % 7) * 30 }
    let largest = Double(x.max() ?? 0)
    var exact = 0.0
    for value in x { exact += exp(Double(value) - largest) }
    #expect(abs(nk_log_sum_exp(x, 100) - (largest + log(exact))) < 1e-5)
  }
}
