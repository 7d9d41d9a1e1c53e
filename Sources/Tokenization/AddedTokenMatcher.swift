/// Finds added tokens in text: of those that begin leftmost, the longest.
struct AddedTokenMatcher: Sendable {
  /// A node of the trie; its children stand together, in the order of their bytes.
  private struct Node {
    var token: Int32 = -1
    var firstChild: Int32 = 0
    var childCount: Int32 = 0
    var byte: UInt8 = 0
  }

  struct Match {
    var range: Range<Int>
    var id: Int32
  }

  private var nodes: [Node] = [Node()]
  /// Whether any token begins with a byte.
  private var begins = [Bool](repeating: false, count: 256)
  private var strips: [Int32: AddedToken] = [:]

  /// - Parameter text: what a token looks like in the text.
  init(_ tokens: [AddedToken], text: (AddedToken) -> [UInt8]) {
    let sorted = tokens.map { (bytes: text($0), token: $0) }
      .filter { !$0.bytes.isEmpty }
      .sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    for token in tokens where token.stripsLeft || token.stripsRight { strips[token.id] = token }
    for (bytes, _) in sorted { begins[Int(bytes[0])] = true }
    // Level by level, so that the children of a node stand together.
    var level = [(node: 0, entries: sorted.startIndex..<sorted.endIndex)]
    var depth = 0
    while !level.isEmpty {
      var next: [(node: Int, entries: Range<Int>)] = []
      for (node, entries) in level {
        var index = entries.lowerBound
        while index < entries.upperBound, sorted[index].bytes.count == depth {
          if nodes[node].token < 0 { nodes[node].token = sorted[index].token.id }
          index += 1
        }
        nodes[node].firstChild = Int32(nodes.count)
        while index < entries.upperBound {
          let byte = sorted[index].bytes[depth]
          let start = index
          while index < entries.upperBound, sorted[index].bytes[depth] == byte { index += 1 }
          next.append((nodes.count, start..<index))
          nodes.append(Node(byte: byte))
          nodes[node].childCount += 1
        }
      }
      level = next
      depth += 1
    }
  }

  /// The next match that begins at or after `start` and whose token `isWanted`.
  func next(
    in text: UnsafeBufferPointer<UInt8>, from start: Int, isWanted: (Int32) -> Bool
  ) -> Match? {
    guard nodes.count > 1 else { return nil }
    return nodes.withUnsafeBufferPointer { nodes in
      begins.withUnsafeBufferPointer { begins in
        for index in start..<text.count where begins[Int(text[index])] {
          if let match = longest(in: text, at: index, nodes: nodes, isWanted: isWanted) {
            return widened(match, in: text, from: start)
          }
        }
        return nil
      }
    }
  }

  private func longest(
    in text: UnsafeBufferPointer<UInt8>, at start: Int, nodes: UnsafeBufferPointer<Node>,
    isWanted: (Int32) -> Bool
  ) -> Match? {
    var found: Match?
    var node = nodes[0]
    for index in start..<text.count {
      var child = Int(node.firstChild)
      let end = child + Int(node.childCount)
      while child < end, nodes[child].byte < text[index] { child += 1 }
      guard child < end, nodes[child].byte == text[index] else { break }
      node = nodes[child]
      if node.token >= 0, isWanted(node.token) {
        found = Match(range: start..<(index + 1), id: node.token)
      }
    }
    return found
  }

  /// The match with the whitespace that its token takes.
  private func widened(
    _ match: Match, in text: UnsafeBufferPointer<UInt8>, from start: Int
  ) -> Match {
    guard let token = strips[match.id] else { return match }
    return UnicodeClasses.basicPlane.withUnsafeBufferPointer { classes in
      guard let table = classes.baseAddress else { return match }
      let reader = ScalarReader(text, classes: table)
      var (lower, upper) = (match.range.lowerBound, match.range.upperBound)
      while token.stripsLeft, lower > start {
        var first = lower - 1
        while first > start, text[first] & 0xC0 == 0x80 { first -= 1 }
        guard reader.read(first).kind.contains(.whitespace) else { break }
        lower = first
      }
      while token.stripsRight {
        let (kind, next) = reader.read(upper)
        guard kind.contains(.whitespace) else { break }
        upper = next
      }
      return Match(range: lower..<upper, id: match.id)
    }
  }
}
