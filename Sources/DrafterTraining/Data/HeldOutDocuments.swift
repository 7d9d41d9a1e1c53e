/// Says which documents are held out: by a hash of what comes before each one's first answer, so
/// that answers to the same prompt are on the same side.
///
/// A prompt that tells nothing apart does not count: the beginning that a template gives every
/// conversation in which the model speaks first, and the empty one of a text. Documents that have
/// it in common are told apart by what comes before their next answer, and in the end by the whole.
struct HeldOutDocuments {
  /// The share that is held out, from 0 to 1.
  var share: Double
  var seed: UInt64

  /// A prompt of more documents than these, and of a larger share of all, tells nothing apart.
  private static let mostAlike = (documents: 16, share: 0.1)

  /// - Parameter document: the tokens of a document, and 1 for those that are answers.
  /// - Returns: for each document whether it is held out.
  func places(
    count: Int, document: (Int) throws -> (tokens: [Int32], answer: [UInt8])
  ) rethrows -> [Bool] {
    // For each document the hashes of ever longer beginnings.
    var hashes: [[UInt64]] = []
    for index in 0..<count {
      let (tokens, answer) = try document(index)
      hashes.append(Self.beginnings(answer).map { end in Self.hash(tokens[..<end]) })
    }
    let most = max(Self.mostAlike.documents, Int(Self.mostAlike.share * Double(count)))
    var levels = [Int](repeating: 0, count: count)
    var open = Array(0..<count)
    while !open.isEmpty {
      let alike = Dictionary(grouping: open) { hashes[$0][levels[$0]] }.values
      open = alike.filter { $0.count > most }.joined()
        .filter { levels[$0] + 1 < hashes[$0].count }
      for index in open { levels[index] += 1 }
    }
    return (0..<count).map { isHeldOut(hashes[$0][levels[$0]]) }
  }

  /// Whether a text is held out that is told apart by all of it.
  func contains(_ tokens: [Int32]) -> Bool { isHeldOut(Self.hash(tokens[...])) }

  /// Where answers begin that something comes before, and the end of the document.
  private static func beginnings(_ answer: [UInt8]) -> [Int] {
    answer.indices.dropFirst().filter { answer[$0] != 0 && answer[$0 - 1] == 0 } + [answer.count]
  }

  private static func hash(_ tokens: ArraySlice<Int32>) -> UInt64 {
    tokens.withUnsafeBytes { stableHash($0) }
  }

  private func isHeldOut(_ hash: UInt64) -> Bool {
    var random = SeededRandom(seed: hash ^ seed)
    return Double(random.next() >> 11) * 0x1p-53 < share
  }
}
