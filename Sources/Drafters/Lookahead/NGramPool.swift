/// N-grams by their first token: a few for each, the one seen last first.
struct NGramPool {
  /// Tokens after the key.
  let length: Int
  /// N-grams of one key.
  let width: Int
  /// The most keys; beyond it the key that came first gives way.
  let capacity: Int

  private var slots: [Int32: Int] = [:]
  /// By slot.
  private var keys: [Int32] = []
  /// (slots)
  private var counts: [Int] = []
  /// (slots, width, length)
  private var tokens: [Int32] = []
  private var nextSlot = 0

  init(length: Int, width: Int, capacity: Int) {
    self.length = length
    self.width = width
    self.capacity = capacity
  }

  /// Makes an n-gram the first of its key.
  /// - Parameter tokens: what follows the key; of exactly `length`.
  mutating func insert(_ tokens: some Collection<Int32>, after key: Int32) {
    precondition(tokens.count == length, "\(tokens.count) tokens instead of \(length)")
    let slot = claim(key)
    let start = slot * width * length
    var place = 0
    while place < counts[slot]
      && !self.tokens[(start + place * length)..<(start + (place + 1) * length)]
        .elementsEqual(tokens)
    { place += 1 }
    if place == counts[slot] {
      if place < width { counts[slot] += 1 } else { place -= 1 }
    }
    for index in stride(from: start + place * length - 1, through: start, by: -1) {
      self.tokens[index + length] = self.tokens[index]
    }
    for (offset, token) in tokens.enumerated() { self.tokens[start + offset] = token }
  }

  /// How many n-grams there are of a key.
  func count(of key: Int32) -> Int { slots[key].map { counts[$0] } ?? 0 }

  /// What follows a key in its n-gram number `rank`, 0 being the one seen last.
  func ngram(_ rank: Int, after key: Int32) -> ArraySlice<Int32> {
    guard let slot = slots[key], rank < counts[slot] else { return [] }
    let start = (slot * width + rank) * length
    return tokens[start..<(start + length)]
  }

  private mutating func claim(_ key: Int32) -> Int {
    if let slot = slots[key] { return slot }
    let slot = nextSlot
    nextSlot = (nextSlot + 1) % capacity
    if slot < keys.count {
      slots[keys[slot]] = nil
      keys[slot] = key
      counts[slot] = 0
    } else {
      keys.append(key)
      counts.append(0)
      tokens.append(contentsOf: repeatElement(0, count: width * length))
    }
    slots[key] = slot
    return slot
  }
}
