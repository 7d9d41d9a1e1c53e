/// Two vocabularies, and the tokens that stand in both: of the same bytes, or special ones of the
/// same name (token-level intersection, TLI, in Timor et al., 2502.05202). Immutable; built once
/// for a pair of models.
public final class VocabularyBridge: Sendable {
  public let target: any TextVocabulary
  public let draft: any TextVocabulary
  /// For each draft token its counterpart in the target's vocabulary, or -1.
  public let targetTokens: [Int32]
  /// For each target token its counterpart in the draft model's vocabulary, or -1.
  public let draftTokens: [Int32]
  /// The target tokens that have a counterpart, ascending.
  public let shared: [Int32]
  /// The counterparts of `shared`, in its order.
  public let sharedDraft: [Int32]
  /// For each target token its place in `shared`, or -1.
  let places: [Int32]

  /// - Complexity: O(bytes of both vocabularies).
  public init(target: any TextVocabulary, draft: any TextVocabulary) {
    self.target = target
    self.draft = draft
    let index = TokenIndex(target)
    var targetTokens = [Int32](repeating: -1, count: draft.size)
    var draftTokens = [Int32](repeating: -1, count: target.size)
    var bytes: [UInt8] = []
    // From the end: of equal draft tokens, the last is taken, as of equal target tokens.
    for token in (0..<Int32(draft.size)).reversed() {
      bytes.removeAll(keepingCapacity: true)
      guard TokenIndex.append(token, of: draft, to: &bytes), let twin = index.token(of: bytes),
        draftTokens[Int(twin)] < 0
      else { continue }
      targetTokens[Int(token)] = twin
      draftTokens[Int(twin)] = token
    }
    self.targetTokens = targetTokens
    self.draftTokens = draftTokens
    shared = (0..<Int32(target.size)).filter { draftTokens[Int($0)] >= 0 }
    sharedDraft = shared.map { draftTokens[Int($0)] }
    var places = [Int32](repeating: -1, count: target.size)
    for (place, token) in shared.enumerated() { places[Int(token)] = Int32(place) }
    self.places = places
  }

  /// The bridge between models that give the same ids to the same tokens.
  public convenience init(sharedSize: Int) {
    let vocabulary = CharacterVocabulary(size: sharedSize)
    self.init(target: vocabulary, draft: vocabulary)
  }
}

/// Finds tokens by their bytes: open addressing over one buffer of all bytes.
private struct TokenIndex {
  private var storage: [UInt8] = []
  private var ends: [Int] = [0]
  /// Token + 1; 0 is free.
  private var slots: [Int32]
  private let mask: Int

  init(_ vocabulary: any TextVocabulary) {
    var capacity = 16
    while capacity < vocabulary.size * 2 { capacity *= 2 }
    slots = Array(repeating: 0, count: capacity)
    mask = capacity - 1
    storage.reserveCapacity(vocabulary.size * 8)
    ends.reserveCapacity(vocabulary.size + 1)
    for token in 0..<Int32(vocabulary.size) {
      let start = storage.count
      let isUsable = Self.append(token, of: vocabulary, to: &storage)
      if !isUsable { storage.removeSubrange(start...) }
      ends.append(storage.count)
      guard isUsable else { continue }
      // SentencePiece has bytes before pieces: of equal tokens, the last is the usual one.
      slots[slot(of: storage[start...])] = token + 1
    }
  }

  /// Appends a byte that tells text from special tokens, and the token's bytes; false when the
  /// token has none or stands in no text.
  static func append(
    _ token: Int32, of vocabulary: any TextVocabulary, to bytes: inout [UInt8]
  ) -> Bool {
    let kind = vocabulary.kind(of: token)
    guard kind != .unusable else { return false }
    bytes.append(kind == .special ? 1 : 0)
    let start = bytes.count
    vocabulary.appendBytes(of: token, to: &bytes)
    return bytes.count > start
  }

  func token(of bytes: [UInt8]) -> Int32? {
    let found = slots[slot(of: bytes[...])]
    return found > 0 ? found - 1 : nil
  }

  /// Where the bytes are, or would be put.
  private func slot(of bytes: ArraySlice<UInt8>) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    var slot = Int(truncatingIfNeeded: hash ^ hash >> 32) & mask
    while slots[slot] > 0 {
      let token = Int(slots[slot]) - 1
      if storage[ends[token]..<ends[token + 1]].elementsEqual(bytes) { break }
      slot = (slot + 1) & mask
    }
    return slot
  }
}
