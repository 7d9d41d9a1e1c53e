/// Where the n-grams of a growing sequence stood, for all n up to a maximum.
struct NGramIndex {
  let maximum: Int
  private(set) var tokens: [Int32] = []
  /// For each n - 1: the key of an n-gram → the index of the token after its last occurrence.
  private var last: [[UInt64: Int32]]
  /// For each index in `last`'s sense, the one before it of the same n-gram of the longest kind;
  /// 0 where there is none.
  private var previous: [Int32] = []

  init(maximum: Int) {
    self.maximum = maximum
    last = Array(repeating: [:], count: maximum)
  }

  /// Appends a token: the n-grams before it become findable.
  /// - Complexity: O(maximum²) on average, whatever the length of the sequence.
  mutating func append(_ token: Int32) {
    let end = tokens.count
    var link: Int32 = 0
    for n in 1...maximum where n <= end {
      let old = last[n - 1].updateValue(Int32(end), forKey: key(n, endingAt: end))
      if n == maximum { link = old ?? 0 }
    }
    previous.append(link)
    tokens.append(token)
  }

  /// The index after the last earlier occurrence of the sequence's last `n` tokens.
  func continuation(n: Int) -> Int? {
    guard n <= tokens.count, let found = last[n - 1][key(n, endingAt: tokens.count)] else {
      return nil
    }
    let place = Int(found)
    return matchLength(at: place, limit: n) == n ? place : nil
  }

  /// An earlier place with the same n-gram of the longest kind as the one before `place`.
  func earlier(than place: Int) -> Int? {
    previous[place] > 0 ? Int(previous[place]) : nil
  }

  /// How many tokens before `place` equal the last ones of the sequence.
  func matchLength(at place: Int, limit: Int) -> Int {
    var length = 0
    while length < limit && length < place
      && tokens[place - 1 - length] == tokens[tokens.count - 1 - length]
    {
      length += 1
    }
    return length
  }

  /// A hash of n tokens; collisions are found out by comparing the tokens themselves.
  private func key(_ n: Int, endingAt end: Int) -> UInt64 {
    var hash: UInt64 = 0
    for index in (end - n)..<end {
      hash = (hash ^ UInt64(UInt32(bitPattern: tokens[index]))) &* 0x9E37_79B9_7F4A_7C15
      hash ^= hash >> 29
    }
    return hash
  }
}
