/// How byte-level BPE cuts text into words before merging: the regular expressions of the
/// published tokenizers, written out by hand.
public enum PreTokenizer: String, Sendable, CaseIterable {
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  case gpt2
  /// Every number alone, GPT-2 between them.
  case smollm
  /// As Llama 3, with every number alone.
  case qwen2
  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|`
  /// ` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
  case llama3

  private static let byGGUFName: [String: PreTokenizer] = [
    "gpt-2": .gpt2, "phi-2": .gpt2, "mpt": .gpt2, "olmo": .gpt2,
    "smollm": .smollm, "starcoder": .smollm, "refact": .smollm, "command-r": .smollm,
    "codeshell": .smollm, "exaone": .smollm,
    "qwen2": .qwen2, "deepseek-r1-qwen": .qwen2,
    "llama-bpe": .llama3, "llama3": .llama3, "llama-v3": .llama3,
  ]

  /// Whether a file says no more by this name than by none.
  static func saysNothing(ggufName: String) -> Bool { ["", "default"].contains(ggufName) }

  /// The pre-tokenizer of most models of a GGUF architecture.
  init(architecture: String) {
    switch architecture {
    case "llama": self = .llama3
    case "qwen2", "qwen3": self = .qwen2
    default: self = .gpt2
    }
  }

  static var ggufNames: String { byGGUFName.keys.sorted().joined(separator: ", ") }

  /// The pre-tokenizer that a GGUF file's `tokenizer.ggml.pre` names.
  init?(ggufName: String) {
    guard let found = Self.byGGUFName[ggufName] else { return nil }
    self = found
  }

  /// Calls `body` with each word of valid UTF-8 text, in order; the words make up the text.
  @inline(__always)
  func forEachWord(
    _ text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void
  ) {
    UnicodeClasses.basicPlane.withUnsafeBufferPointer { classes in
      guard let table = classes.baseAddress else { return }
      let reader = ScalarReader(text, classes: table)
      var start = 0
      while start < text.count {
        let end =
          switch self {
          case .gpt2: reader.gpt2Word(start, numbersAlone: false)
          case .smollm: reader.gpt2Word(start, numbersAlone: true)
          case .qwen2: reader.llama3Word(start, digits: 1)
          case .llama3: reader.llama3Word(start, digits: 3)
          }
        body(UnsafeBufferPointer(rebasing: text[start..<end]))
        start = end
      }
    }
  }
}

extension ScalarReader {
  /// Where a run of scalars of one kind ends.
  @inline(__always)
  private func run(_ start: Int, of kind: ScalarClass) -> Int {
    var index = start
    while index < end {
      let (found, next) = read(index)
      guard found.intersection(.kinds) == kind else { break }
      index = next
    }
    return index
  }

  /// Where an English contraction that begins at an apostrophe ends; `start` if there is none.
  private func contraction(_ start: Int, anyCase: Bool) -> Int {
    let fold: UInt8 = anyCase ? 0x20 : 0
    func letter(_ offset: Int) -> UInt8 {
      let byte = byte(start + offset)
      return byte >= 0x41 && byte <= 0x5A ? byte | fold : byte
    }
    switch (letter(1), letter(2)) {
    case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _),
      (UInt8(ascii: "d"), _):
      return start + 2
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    case (0xC5, 0xBF) where anyCase:
      // U+017F, the long s, is an s when case does not matter.
      return start + 3
    default:
      return start
    }
  }

  /// `\s+(?!\S)|\s+` from a whitespace scalar on; `limit` counts as the end of the text.
  private func whitespaceWord(_ start: Int, numbersAlone: Bool) -> Int {
    var last = start
    var index = start
    while index < end {
      let (kind, next) = read(index)
      guard kind.contains(.whitespace) else {
        // The last one is left to the next word, unless numbers have been cut off beforehand.
        let cutHere = numbersAlone && kind.contains(.number)
        return cutHere || last == start ? index : last
      }
      last = index
      index = next
    }
    return index
  }

  /// Where GPT-2's word that begins at `start` ends.
  @inline(__always)
  func gpt2Word(_ start: Int, numbersAlone: Bool) -> Int {
    if byte(start) == UInt8(ascii: "'") {
      let end = contraction(start, anyCase: false)
      if end > start { return end }
    }
    var (kind, next) = read(start)
    if byte(start) == 0x20 {
      let following = read(next)
      let joins =
        !following.kind.contains(.whitespace)
        && !(numbersAlone && following.kind.contains(.number))
      if next < end && joins { (kind, next) = following }
    }
    if kind.contains(.whitespace) {
      return whitespaceWord(start, numbersAlone: numbersAlone)
    }
    if kind.contains(.number) && numbersAlone { return next }
    return run(next, of: kind.intersection(.kinds))
  }

  /// Where Llama 3's word that begins at `start` ends, with at most `digits` numbers together.
  @inline(__always)
  func llama3Word(_ start: Int, digits: Int) -> Int {
    let first = byte(start)
    if first == UInt8(ascii: "'") {
      let end = contraction(start, anyCase: true)
      if end > start { return end }
    }
    let (kind, next) = read(start)
    if kind.contains(.letter) { return run(next, of: .letter) }
    if kind.contains(.number) {
      var index = next
      for _ in 1..<max(digits, 1) {
        let (found, after) = read(index)
        guard found.contains(.number) else { break }
        index = after
      }
      return index
    }
    if !kind.contains(.newline), read(next).kind.contains(.letter) { return run(next, of: .letter) }
    let isOther = kind.isDisjoint(with: .kinds)
    let afterSpace = read(next)
    if isOther || (first == 0x20 && next < end && afterSpace.kind.isDisjoint(with: .kinds)) {
      var index = run(isOther ? next : afterSpace.next, of: [])
      while byte(index) == 0x0A || byte(index) == 0x0D { index += 1 }
      return index
    }
    return newlineWord(start) ?? whitespaceWord(start, numbersAlone: false)
  }

  /// `\s*[\r\n]+`: up to the last newline of the run of whitespace.
  private func newlineWord(_ start: Int) -> Int? {
    var found: Int?
    var index = start
    while index < end {
      let (kind, next) = read(index)
      guard kind.contains(.whitespace) else { break }
      if kind.contains(.newline) { found = next }
      index = next
    }
    return found
  }
}
