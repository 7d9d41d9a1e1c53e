import Nunchi
import Speculation
import Tokenization

/// Where in a text drafts are right: acceptance by what kind of token the target wrote.
public struct AcceptanceAnalysis: Sendable, Equatable, Codable {
  /// Tokens of one kind.
  public struct Count: Sendable, Equatable, Codable {
    /// All that the target wrote after the first of each answer.
    public var tokens = 0
    /// Those at whose place something was verified, after accepted tokens only.
    public var drafted = 0
    public var accepted = 0

    /// Accepted by drafted ones; 0 where nothing was drafted.
    public var acceptanceRate: Double {
      drafted == 0 ? 0 : Double(accepted) / Double(drafted)
    }
  }

  /// What was drafted first, and what the target wrote in its place.
  public struct Rejection: Sendable, Hashable, Codable {
    public var drafted: String
    public var wanted: String
    public var count: Int
  }

  /// By script (ISO 15924), or `digits`, `punctuation`, `space`, `part of a character`.
  public var scripts: [String: Count] = [:]
  /// `word-initial`, `word-internal`, and of the latter `inside a character`: a token that begins
  /// within the bytes of one.
  public var positions: [String: Count] = [:]
  /// Tokens of Korean words, by `KoreanWords.Part`.
  public var korean: [String: Count] = [:]
  /// The most frequent ones first.
  public var rejections: [Rejection] = []

  /// - Parameters:
  ///   - steps: of all answers, each beginning with its prompt's.
  ///   - bytes: what tokens stand for.
  ///   - rejections: how many of them to keep.
  public init(
    _ steps: some Sequence<StepTrace>, bytes: [Int32: [UInt8]], rejections limit: Int = 20
  ) {
    var answers: [[StepTrace]] = []
    for step in steps {
      if step.phase == .prompt { answers.append([]) }
      if !answers.isEmpty { answers[answers.count - 1].append(step) }
    }
    var rejected: [[String]: Int] = [:]
    func name(_ token: Int32) -> String {
      String(decoding: bytes[token] ?? [], as: UTF8.self)
    }
    for steps in answers {
      let tokens = steps.flatMap(\.tokens)
      let places = TokenPlaces(tokens.map { bytes[$0] ?? [] })
      var place = 0
      for step in steps {
        defer { place += step.tokens.count }
        guard step.phase == .round else { continue }
        for index in step.tokens.indices {
          let isAccepted = index < step.accepted.count
          // The first place after the accepted ones was drafted if the last of those has a child.
          let last = step.accepted.last ?? -1
          let child = step.parents.firstIndex(of: last)
          let isDrafted = isAccepted || (index == step.accepted.count && child != nil)
          func count(_ counts: inout [String: Count], _ key: String) {
            var count = counts[key] ?? Count()
            count.tokens += 1
            count.drafted += isDrafted ? 1 : 0
            count.accepted += isAccepted ? 1 : 0
            counts[key] = count
          }
          let kind = places.kinds[place + index]
          count(&scripts, kind.script)
          count(&positions, kind.isWordInitial ? "word-initial" : "word-internal")
          if kind.isInsideCharacter { count(&positions, "inside a character") }
          if let part = kind.korean { count(&korean, part.rawValue) }
          if isDrafted, !isAccepted, let child {
            rejected[[name(step.drafted[child]), name(step.tokens[index])], default: 0] += 1
          }
        }
      }
    }
    rejections = rejected.map { Rejection(drafted: $0[0], wanted: $0[1], count: $1) }
      .sorted { ($1.count, $0.drafted, $0.wanted) < ($0.count, $1.drafted, $1.wanted) }
      .prefix(limit).map { $0 }
  }
}

/// What each token of a text is, seen in its text.
struct TokenPlaces {
  struct Kind: Equatable {
    var script: String
    var isWordInitial: Bool
    var isInsideCharacter: Bool
    /// nil for tokens without a Hangul syllable's beginning.
    var korean: KoreanWords.Part?
  }

  private(set) var kinds: [Kind] = []

  /// - Parameter tokens: the bytes of each.
  init(_ tokens: [[UInt8]]) {
    let bytes = tokens.flatMap { $0 }
    let parts = Self.koreanParts(bytes)
    var start = 0
    for token in tokens {
      let end = start + token.count
      let text = String(validating: token, as: UTF8.self)
      let before = start > 0 ? bytes[start - 1] : UInt8(ascii: " ")
      kinds.append(
        Kind(
          script: text.map(Self.script) ?? "part of a character",
          isWordInitial: Self.isSpace(before) || token.first.map(Self.isSpace) == true,
          isInsideCharacter: token.first.map { $0 & 0xC0 == 0x80 } == true,
          // The last part that begins or goes on within the token: where 학교에 is one token, it
          // decides on a particle.
          korean: parts[start..<end].last { $0 != nil } ?? nil))
      start = end
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
  }

  private static func script(_ text: String) -> String {
    let counts = ScriptCounts(text)
    if counts.letters > 0 { return counts.script.rawValue }
    if text.contains(where: \.isNumber) { return "digits" }
    return text.allSatisfy(\.isWhitespace) ? "space" : "punctuation"
  }

  /// The part of a Korean word that each byte belongs to; nil for bytes of anything else.
  private static func koreanParts(_ bytes: [UInt8]) -> [KoreanWords.Part?] {
    var parts = [KoreanWords.Part?](repeating: nil, count: bytes.count)
    // Syllables are three bytes, EA B0 80 to ED 9E A3; other bytes end a word.
    var place = 0
    while place < bytes.count {
      var word: [Character] = []
      let start = place
      while let syllable = syllable(bytes, place) {
        word.append(syllable)
        place += 3
      }
      guard !word.isEmpty else {
        place += 1
        continue
      }
      let ending = KoreanWords.ending(of: word)
      for index in word.indices {
        let part = ending.map { index < $0.stem ? .stem : $0.part } ?? .stem
        for byte in 0..<3 { parts[start + 3 * index + byte] = part }
      }
    }
    return parts
  }

  private static func syllable(_ bytes: [UInt8], _ place: Int) -> Character? {
    guard place + 3 <= bytes.count, (0xEA...0xED).contains(bytes[place]),
      let text = String(validating: bytes[place..<place + 3], as: UTF8.self),
      let scalar = text.unicodeScalars.first, (0xAC00...0xD7A3).contains(scalar.value)
    else { return nil }
    return Character(scalar)
  }
}
