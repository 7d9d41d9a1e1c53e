/// A writing system, by its ISO 15924 code.
public enum Script: String, Sendable, Codable, CaseIterable {
  case latin = "Latn"
  case hangul = "Hang"
  /// Kana with Chinese characters.
  case japanese = "Jpan"
  case han = "Hani"
  case cyrillic = "Cyrl"
  case arabic = "Arab"
  /// Any other, or no letters at all.
  case other = "Zzzz"

  /// Whether texts have no spaces between words.
  public var hasNoWords: Bool { self == .japanese || self == .han }

  /// Whether a character says about twice as much as a letter does.
  public var isDense: Bool { hasNoWords || self == .hangul }
}

/// How many letters of each script a text has.
public struct ScriptCounts: Sendable {
  public private(set) var latin = 0
  public private(set) var hangul = 0
  public private(set) var kana = 0
  public private(set) var han = 0
  public private(set) var cyrillic = 0
  public private(set) var arabic = 0
  public private(set) var other = 0
  /// Latin letters that only Vietnamese has, as far as texts of our languages go.
  public private(set) var vietnamese = 0
  /// Cyrillic letters that Russian has not.
  public private(set) var notRussian = 0

  public var letters: Int { latin + hangul + kana + han + cyrillic + arabic + other }

  public init(_ text: some StringProtocol) {
    for scalar in text.unicodeScalars { count(scalar) }
  }

  private mutating func count(_ scalar: Unicode.Scalar) {
    switch scalar.value {
    case 0x41...0x5A, 0x61...0x7A: latin += 1
    case 0...0xBF, 0xD7, 0xF7, 0x2000...0x206F, 0x3000...0x303F: break
    case 0x102, 0x103, 0x110, 0x111, 0x1A0, 0x1A1, 0x1AF, 0x1B0, 0x1EA0...0x1EF9:
      latin += 1
      vietnamese += 1
    case 0xC0...0x24F, 0x1E00...0x1EFF: latin += 1
    case 0x404, 0x406...0x40B, 0x40E, 0x40F, 0x454, 0x456...0x45B, 0x45E...0x481, 0x48A...0x52F:
      cyrillic += 1
      notRussian += 1
    case 0x400...0x481: cyrillic += 1
    case 0x620...0x64A, 0x66E...0x6D3, 0x750...0x77F, 0x8A0...0x8C9, 0xFB50...0xFDFF,
      0xFE70...0xFEFC:
      arabic += 1
    case 0x1100...0x11FF, 0x3130...0x318F, 0xA960...0xA97F, 0xAC00...0xD7FF: hangul += 1
    case 0x3040...0x30FA, 0x30FD...0x30FF, 0x31F0...0x31FF, 0xFF66...0xFF9D: kana += 1
    case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x323AF: han += 1
    default:
      if scalar.properties.isAlphabetic { other += 1 }
    }
  }

  /// The script of the text. The dense ones win when there are a fifth of them, since help texts
  /// and code mix names in Latin letters into every language.
  public var script: Script {
    let letters = letters
    guard letters > 0 else { return .other }
    if (hangul + kana + han) * 5 >= letters {
      if hangul >= kana + han { return .hangul }
      return kana * 12 >= kana + han ? .japanese : .han
    }
    if cyrillic * 3 >= letters { return .cyrillic }
    if arabic * 3 >= letters { return .arabic }
    return latin * 2 >= letters ? .latin : .other
  }
}
