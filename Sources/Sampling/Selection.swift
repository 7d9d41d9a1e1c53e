import NunchiKernels

/// Finding the few largest of many numbers without sorting them all.
enum Selection {
  /// The largest value and the lowest index that holds it. NaN is passed over.
  static func argmax(
    _ values: UnsafeBufferPointer<Float>
  ) throws -> (index: Int, value: Float) {
    let index = Int(nk_argmax(values.baseAddress, Int64(values.count)))
    guard values.indices.contains(index), values[index].isFinite else {
      throw SamplingError.logitsNotFinite(vocabularySize: values.count)
    }
    return (index, values[index])
  }

  /// The indices, ascending, of the `count` largest values; the lower index wins a tie.
  /// - Complexity: O(n) for typical logits, O(n log count) at worst.
  static func largest(_ count: Int, of values: UnsafeBufferPointer<Float>) -> [Int32] {
    // A heap whose top is the worst of those kept: the lowest value, and of equals the last.
    var heap: [(value: Float, index: Int32)] = []
    heap.reserveCapacity(count)
    func worse(_ a: (value: Float, index: Int32), _ b: (value: Float, index: Int32)) -> Bool {
      a.value < b.value || (a.value == b.value && a.index > b.index)
    }
    func siftDown(_ heap: inout [(value: Float, index: Int32)], _ start: Int) {
      var parent = start
      while true {
        var child = 2 * parent + 1
        if child >= heap.count { return }
        if child + 1 < heap.count && worse(heap[child + 1], heap[child]) { child += 1 }
        if !worse(heap[child], heap[parent]) { return }
        heap.swapAt(parent, child)
        parent = child
      }
    }
    func offer(_ index: Int) {
      let value = values[index]
      if heap.count < count {
        // NaN has no place in an order.
        heap.append((value.isNaN ? -.infinity : value, Int32(index)))
        if heap.count == count {
          for start in stride(from: count / 2, through: 0, by: -1) { siftDown(&heap, start) }
        }
      } else if value > heap[0].value {
        heap[0] = (value, Int32(index))
        siftDown(&heap, 0)
      }
    }
    for index in 0..<min(count, values.count) { offer(index) }
    var index = count
    while index < values.count {
      index = values.next(above: heap[0].value, from: index)
      if index < values.count { offer(index) }
      index += 1
    }
    return heap.map(\.index).sorted()
  }

  /// The indices, ascending, of the smallest set of largest weights whose share of the total
  /// reaches `share`; the lower index wins a tie.
  ///
  /// Weights fall into buckets by their binary exponent and leading bits; only the bucket in
  /// which the share is reached is sorted.
  static func nucleus(_ share: Double, of weights: [Double]) -> [Int] {
    // 16 buckets an octave; float weights reach down to 2^-149.
    let bucketCount = 16 * 150 + 1
    func bucket(_ weight: Double) -> Int {
      let steps = Int((1.0 as Double).bitPattern >> 48) - Int(weight.bitPattern >> 48)
      return min(bucketCount - 1, max(0, steps))
    }
    var mass = [Double](repeating: 0, count: bucketCount)
    var total = 0.0
    for weight in weights where weight > 0 {
      mass[bucket(weight)] += weight
      total += weight
    }
    let goal = share * total
    var reached = 0.0
    var last = 0
    while last < bucketCount - 1 && reached + mass[last] < goal {
      reached += mass[last]
      last += 1
    }
    var kept: [Int] = []
    var boundary: [Int] = []
    for index in weights.indices where weights[index] > 0 {
      let place = bucket(weights[index])
      if place < last { kept.append(index) } else if place == last { boundary.append(index) }
    }
    boundary.sort { weights[$0] > weights[$1] || (weights[$0] == weights[$1] && $0 < $1) }
    for index in boundary {
      // At least one token stays, however small the share.
      if reached >= goal && !kept.isEmpty { break }
      kept.append(index)
      reached += weights[index]
    }
    return kept.sorted()
  }
}

extension UnsafeBufferPointer<Float> {
  /// The first index from `start` on whose value is above `limit`; `count` where there is none.
  func next(above limit: Float, from start: Int) -> Int {
    Int(nk_next_above(baseAddress, Int64(start), Int64(count), limit))
  }
}
