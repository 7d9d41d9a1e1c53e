import Dispatch

/// Sorts the suffixes of token sequences.
public enum SuffixArray {
  /// Ends a document; larger than any token.
  public static let separator = UInt32.max

  /// The places of all tokens but separators, in the order of the suffixes that begin there, as
  /// far as `depth` tokens. Suffixes end at a separator. Suffixes are first put in buckets by
  /// their first token, then each bucket is sorted by multikey quicksort (Bentley and Sedgewick,
  /// 1997), on all cores.
  /// - Parameters:
  ///   - tokens: ends with a separator; other tokens are below `vocabularySize`.
  public static func sorted(
    _ tokens: UnsafeBufferPointer<UInt32>, vocabularySize: Int, depth: Int
  ) -> [UInt32] {
    var starts = [Int](repeating: 0, count: vocabularySize + 1)
    for token in tokens where token != separator { starts[Int(token) + 1] += 1 }
    for token in 0..<vocabularySize { starts[token + 1] += starts[token] }
    let count = starts[vocabularySize]
    var next = starts
    return [UInt32](unsafeUninitializedCapacity: count) { array, initialized in
      for (place, token) in tokens.enumerated() where token != separator {
        array[next[Int(token)]] = UInt32(place)
        next[Int(token)] += 1
      }
      initialized = count
      // Many parts, as some tokens are far more frequent than others.
      let parts = 64
      nonisolated(unsafe) let array = array
      nonisolated(unsafe) let tokens = tokens
      let starts = starts
      DispatchQueue.concurrentPerform(iterations: parts) { part in
        for token in stride(from: part, to: vocabularySize, by: parts) {
          sort(array, starts[token]..<starts[token + 1], tokens, from: 1, to: depth)
        }
      }
    }
  }

  /// Sorts places whose suffixes agree in their first `from` tokens.
  private static func sort(
    _ array: UnsafeMutableBufferPointer<UInt32>, _ range: Range<Int>,
    _ tokens: UnsafeBufferPointer<UInt32>, from start: Int, to limit: Int
  ) {
    var (low, high, depth) = (range.lowerBound, range.upperBound, start)
    while high - low > 1 && depth < limit {
      func key(_ index: Int) -> UInt32 { tokens[Int(array[index]) + depth] }
      if high - low <= 8 {
        insertionSort(array, low..<high, tokens, from: depth, to: limit)
        return
      }
      let (a, b, c) = (key(low), key(low + (high - low) / 2), key(high - 1))
      let pivot = max(min(a, b), min(max(a, b), c))
      var (less, place, greater) = (low, low, high)
      while place < greater {
        let found = key(place)
        if found < pivot {
          array.swapAt(less, place)
          less += 1
          place += 1
        } else if found > pivot {
          greater -= 1
          array.swapAt(place, greater)
        } else {
          place += 1
        }
      }
      let next = pivot == separator ? limit : depth + 1
      // Recursion into all parts but the largest: its depth stays logarithmic.
      if greater - less >= max(less - low, high - greater) {
        sort(array, low..<less, tokens, from: depth, to: limit)
        sort(array, greater..<high, tokens, from: depth, to: limit)
        (low, high, depth) = (less, greater, next)
      } else {
        sort(array, less..<greater, tokens, from: next, to: limit)
        let (small, large) =
          less - low < high - greater
          ? (low..<less, greater..<high) : (greater..<high, low..<less)
        sort(array, small, tokens, from: depth, to: limit)
        (low, high) = (large.lowerBound, large.upperBound)
      }
    }
  }

  private static func insertionSort(
    _ array: UnsafeMutableBufferPointer<UInt32>, _ range: Range<Int>,
    _ tokens: UnsafeBufferPointer<UInt32>, from start: Int, to limit: Int
  ) {
    func precedes(_ a: UInt32, _ b: UInt32) -> Bool {
      for depth in start..<limit {
        let (x, y) = (tokens[Int(a) + depth], tokens[Int(b) + depth])
        if x != y { return x < y }
        if x == separator { return false }
      }
      return false
    }
    for index in range.dropFirst() {
      let moving = array[index]
      var place = index
      while place > range.lowerBound, precedes(moving, array[place - 1]) {
        array[place] = array[place - 1]
        place -= 1
      }
      array[place] = moving
    }
  }
}
