import Foundation
import NunchiKernels
import Testing

/// A cache with `committed` tokens and M pending rows of random keys and values.
private final class AttentionCase {
  let heads = 6, kvHeads = 2, headDim = 32
  let kv: nk_kv
  let bytes: Int
  let pool: TestPool
  var keys: [Float], values: [Float], queries: [Float]

  init(slots: Int, seed: UInt64, pool: TestPool) throws {
    self.pool = pool
    let capacity = (slots + 15) / 16 * 16 + 16
    bytes = nk_kv_bytes(Int64(capacity), 2, 32)
    guard let k = nk_allocate(bytes), let v = nk_allocate(bytes) else { throw CancellationError() }
    kv = nk_kv(
      keys: k.assumingMemoryBound(to: UInt16.self), values: v.assumingMemoryBound(to: UInt16.self),
      capacity: Int64(capacity), kv_heads: 2, head_dim: 32)
    var random = TestRandom(seed)
    keys = (0..<slots * 64).map { _ in random.float() * 2 }
    values = (0..<slots * 64).map { _ in random.float() }
    queries = (0..<slots * 6 * 32).map { _ in random.float() }
  }

  deinit {
    nk_free(kv.keys, bytes)
    nk_free(kv.values, bytes)
  }

  /// Puts the tokens `order` into slots 0, 1, ...
  func store(_ order: [Int]) {
    var kv = kv
    for (slot, token) in order.enumerated() {
      nk_kv_store(
        pool.pointer, &kv, Int64(slot), 1, Array(keys[token * 64..<(token + 1) * 64]), 64,
        Array(values[token * 64..<(token + 1) * 64]), 64)
    }
  }

  /// Attention of the tokens `rows`, which lie in the slots after the committed ones.
  /// - Parameter first: the row to begin with. `rows` has those from there on, `parents` all;
  ///   nil says that they are a chain.
  func attend(
    committed: Int, rows: [Int], first: Int = 0, parents: [Int32]?,
    options: nk_attention_options
  ) -> [Float] {
    attendTogether([(self, committed, rows, first, parents)], options: options, pool: pool)[0]
  }
}

/// Attention of several sequences in one call.
private func attendTogether(
  _ sequences: [(
    test: AttentionCase, committed: Int, rows: [Int], first: Int, parents: [Int32]?
  )],
  options: nk_attention_options, pool: TestPool
) -> [[Float]] {
  let rows = sequences.reduce(0) { $0 + $1.rows.count }
  let q = UnsafeMutablePointer<Float>.allocate(capacity: rows * 192)
  let output = UnsafeMutablePointer<Float>.allocate(capacity: rows * 192)
  output.initialize(repeating: .nan, count: rows * 192)
  let kvs = UnsafeMutablePointer<nk_kv>.allocate(capacity: sequences.count)
  var calls: [nk_attention_rows] = []
  var row = 0
  for (index, sequence) in sequences.enumerated() {
    (kvs + index).initialize(to: sequence.test.kv)
    for (offset, token) in sequence.rows.enumerated() {
      for i in 0..<192 { q[(row + offset) * 192 + i] = sequence.test.queries[token * 192 + i] }
    }
    let parents = sequence.parents.map { parents in
      let copy = UnsafeMutablePointer<Int32>.allocate(capacity: parents.count)
      copy.initialize(from: parents, count: parents.count)
      return copy
    }
    calls.append(
      nk_attention_rows(
        kv: kvs + index, committed: Int64(sequence.committed), first: Int64(sequence.first),
        M: Int64(sequence.first + sequence.rows.count), parents: parents, q: q + row * 192,
        output: output + row * 192))
    row += sequence.rows.count
  }
  defer {
    for call in calls { call.parents?.deallocate() }
    q.deallocate()
    output.deallocate()
    kvs.deallocate()
  }
  var options = options
  #expect(nk_attention(pool.pointer, &options, calls, Int64(calls.count), 192, 192))
  row = 0
  return sequences.map { sequence in
    defer { row += sequence.rows.count }
    return Array(
      UnsafeBufferPointer(start: output + row * 192, count: sequence.rows.count * 192))
  }
}

@Suite("Attention")
struct AttentionTests {
  static let variants: [nk_attention_options] = [
    nk_attention_options(heads: 6, scale: 0.2, soft_cap: 0, window: 0),
    nk_attention_options(heads: 6, scale: 0.2, soft_cap: 0, window: 9),
    nk_attention_options(heads: 6, scale: 0.2, soft_cap: 3, window: 0),
  ]

  @Test("It equals the formula", arguments: 0..<3)
  func formula(variant: Int) throws {
    let pool = try TestPool(2), n = 45
    let test = try AttentionCase(slots: n, seed: 1, pool: pool)
    test.store(Array(0..<n))
    let options = Self.variants[variant]
    let output = test.attend(
      committed: n - 3, rows: [n - 3, n - 2, n - 1], parents: [-1, 0, 1], options: options)
    for (i, row) in (n - 3..<n).enumerated() {
      for head in 0..<6 {
        let kvHead = head / 3
        let low = options.window > 0 ? max(0, row - Int(options.window) + 1) : 0
        var weights: [Double] = []
        for p in low...row {
          var score = 0.0
          for d in 0..<32 {
            score +=
              Double(test.queries[row * 192 + head * 32 + d])
              * Double(Float16(test.keys[p * 64 + kvHead * 32 + d]))
          }
          score *= Double(options.scale)
          if options.soft_cap > 0 {
            score = Double(options.soft_cap) * tanh(score / Double(options.soft_cap))
          }
          weights.append(exp(score))
        }
        let total = weights.reduce(0, +)
        for d in 0..<32 {
          var exact = 0.0
          for (j, weight) in weights.enumerated() {
            exact +=
              weight / total
              * Double(Float16(test.values[(low + j) * 64 + kvHead * 32 + d]))
          }
          #expect(abs(Double(output[i * 192 + head * 32 + d]) - exact) < 2e-6)
        }
      }
    }
  }

  @Test(
    "A tree's row has the bits of its path decoded alone, at every length around a group of 16",
    arguments: 0..<3)
  func treeRows(variant: Int) throws {
    let options = Self.variants[variant]
    var random = TestRandom(77)
    for committed in [0, 1, 7, 15, 16, 17, 31, 32, 40] {
      let M = 13
      let pool = try TestPool(1 + committed % 3)
      let test = try AttentionCase(slots: committed + M, seed: UInt64(committed + 1), pool: pool)
      let parents = (0..<M).map { Int32($0 == 0 ? -1 : random.below($0 + 1) - 1) }
      try with(allSets) { set in
        test.store(Array(0..<committed + M))
        let tree = test.attend(
          committed: committed, rows: Array(committed..<committed + M), parents: parents,
          options: options)
        for row in 0..<M {
          var path: [Int] = [], at = Int32(row)
          while at >= 0 {
            path.insert(committed + Int(at), at: 0)
            at = parents[Int(at)]
          }
          let alone = try AttentionCase(
            slots: committed + M, seed: UInt64(committed + 1), pool: pool)
          alone.store(Array(0..<committed) + path)
          let single = alone.attend(
            committed: committed + path.count - 1, rows: [committed + row], parents: [-1],
            options: options)
          #expect(
            sameBits(tree[(row * 192)..<((row + 1) * 192)], single[...]),
            "\(String(cString: nk_isa_name(set))), \(committed) committed, row \(row)")
        }
      }
    }
  }

  @Test("A tree's last rows alone have the bits of the whole tree", arguments: 0..<3)
  func laterRows(variant: Int) throws {
    let options = Self.variants[variant], committed = 21, M = 30
    var random = TestRandom(5)
    let pool = try TestPool(2)
    let test = try AttentionCase(slots: committed + M, seed: 9, pool: pool)
    test.store(Array(0..<committed + M))
    let parents = (0..<M).map { Int32($0 == 0 ? -1 : random.below($0 + 1) - 1) }
    let rows = Array(committed..<committed + M)
    with(allSets) { set in
      let whole = test.attend(
        committed: committed, rows: rows, parents: parents, options: options)
      for first in [1, 7, 16, M - 1] {
        let later = test.attend(
          committed: committed, rows: Array(rows[first...]), first: first, parents: parents,
          options: options)
        #expect(sameBits(later[...], whole[(first * 192)...]), "from row \(first)")
      }
    }
  }

  @Test("Sequences of one call have the bits of each alone", arguments: [1, 2, 4, 8])
  func sequencesTogether(count: Int) throws {
    let pool = try TestPool(2)
    var random = TestRandom(UInt64(count))
    let sequences = try (0..<count).map { index in
      let committed = [0, 5, 16, 40, 300, 17, 1, 90][index], M = 1 + random.below(9)
      let test = try AttentionCase(
        slots: committed + M, seed: UInt64(50 + index), pool: pool)
      test.store(Array(0..<committed + M))
      let first = random.below(M)
      let parents = (0..<M).map { Int32($0 == 0 ? -1 : random.below($0 + 1) - 1) }
      return (
        test, committed, Array(committed + first..<committed + M), first,
        index % 3 == 2 ? nil : parents
      )
    }
    with(allSets) { set in
      for options in Self.variants {
        let together = attendTogether(sequences, options: options, pool: pool)
        for (index, (test, committed, rows, first, parents)) in sequences.enumerated() {
          let alone = test.attend(
            committed: committed, rows: rows, first: first, parents: parents, options: options)
          #expect(sameBits(together[index], alone), "sequence \(index)")
        }
      }
    }
  }

  @Test("A chain of many rows has the bits of one row at a time, with every set")
  func chainRows() throws {
    let n = 70, options = Self.variants[1]
    let pool = try TestPool(2)
    let test = try AttentionCase(slots: n, seed: 5, pool: pool)
    test.store(Array(0..<n))
    var reference: [Float] = []
    with(allSets) { set in
      let chain = test.attend(
        committed: 3, rows: Array(3..<n), parents: nil, options: options)
      let asTree = test.attend(
        committed: 3, rows: Array(3..<n), parents: (0..<Int32(n - 3)).map { $0 - 1 },
        options: options)
      #expect(sameBits(chain, asTree), "\(String(cString: nk_isa_name(set)))")
      if reference.isEmpty {
        for row in 3..<n {
          reference += test.attend(committed: row, rows: [row], parents: [-1], options: options)
        }
      }
      #expect(sameBits(chain, reference), "\(String(cString: nk_isa_name(set)))")
    }
  }

  @Test("A moved slot is the same token in its new place")
  func movedSlots() throws {
    let pool = try TestPool(1)
    let test = try AttentionCase(slots: 40, seed: 8, pool: pool)
    test.store(Array(0..<20) + [30, 31, 32])
    var kv = test.kv
    nk_kv_move(&kv, 22, 17)
    let moved = test.attend(
      committed: 18, rows: [33], parents: [-1], options: Self.variants[0])
    test.store(Array(0..<17) + [32])
    let stored = test.attend(
      committed: 18, rows: [33], parents: [-1], options: Self.variants[0])
    #expect(sameBits(moved, stored))
  }
}

@Suite("Threads")
struct PoolTests {
  @Test("A thread's choice of instruction set is nobody else's")
  func choiceOfSet() {
    let everyones = nk_isa_current()
    with([NK_PORTABLE]) { _ in
      #expect(nk_isa_current() == NK_PORTABLE)
      let answered = DispatchSemaphore(value: 0)
      Thread {
        #expect(nk_isa_current() == everyones)
        answered.signal()
      }.start()
      answered.wait()
    }
    #expect(nk_isa_current() == everyones)
  }

  @Test("Every item is done once, whatever the piece size, thousands of times in a row")
  func everyItemOnce() throws {
    for threads in 1...4 {
      let pool = try TestPool(threads)
      for round in 0..<2000 {
        let count = 1 + round % 97
        let seen = UnsafeMutablePointer<Int32>.allocate(capacity: count)
        seen.initialize(repeating: 0, count: count)
        nk_pool_run(
          pool.pointer, Int64(count), Int64(1 + round % 5),
          { context, _, begin, end in
            let seen = context?.assumingMemoryBound(to: Int32.self)
            for i in begin..<end { seen?[Int(i)] += 1 }
          }, seen)
        #expect((0..<count).allSatisfy { seen[$0] == 1 })
        seen.deallocate()
        if round % 500 == 0 { usleep(300) }  // lets the workers fall asleep
      }
    }
  }
}
