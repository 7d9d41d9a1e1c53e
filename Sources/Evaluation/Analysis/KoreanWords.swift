/// Where the particles and endings of Korean words begin, told by their written form alone.
///
/// Without an analysis of the word's parts some forms are ambiguous: 는 and 은 end nouns as
/// particles and verbs as endings. The longest form wins, and of two of one length the particle; so
/// adnominal endings count as particles.
public enum KoreanWords {
  public enum Part: String, Sendable, Codable, CaseIterable {
    case stem, particle, ending
  }

  /// Particles (조사).
  static let particles: Set<String> = [
    "은", "는", "이", "가", "을", "를", "의", "에", "에서", "에게", "에게서", "한테", "한테서", "께", "께서", "로",
    "으로", "로서", "으로서", "로써", "으로써", "와", "과", "랑", "이랑", "하고", "도", "만", "까지", "부터", "마저",
    "조차", "밖에", "보다", "처럼", "대로", "만큼", "마다", "이나", "나", "이라도", "라도", "에는", "에도", "에서는",
    "에서도", "에게는", "에게도", "으로는", "로는", "으로도", "로도", "와는", "과는", "까지는", "까지도", "부터는",
    "에서의", "으로의", "로의", "이라는", "라는", "이라고", "라고", "이며", "들은", "들이", "들을", "들의", "들에게",
  ]

  /// Endings of verbs and adjectives (어미), with what often stands before them.
  static let endings: Set<String> = [
    "다", "니다", "습니다", "입니다", "합니다", "됩니다", "습니까", "입니까", "합니까", "까", "니까", "요", "어요", "아요",
    "해요", "세요", "하세요", "네요", "지요", "죠", "예요", "이에요", "어서", "아서", "해서", "고", "하고", "면", "으면",
    "하면", "면서", "으면서", "하면서", "지만", "는데", "은데", "인데", "려고", "으려고", "도록", "하도록", "게", "하게",
    "지", "기", "하기", "던", "했던", "자", "라", "어라", "아라", "냐", "느냐", "거나", "든지", "므로", "으므로", "하므로",
    "려면", "으려면", "더니", "했다", "한다", "된다", "었다", "았다", "였다", "했습니다", "었습니다", "았습니다", "였습니다",
    "겠습니다", "하여", "하며", "되어", "하는", "되는", "있는", "없는", "할", "될", "한", "된", "함", "됨", "음", "야", "어야",
    "아야", "해야", "었는데", "았는데", "했는데", "거든", "잖아", "잖아요", "을게", "할게", "할게요", "을까", "할까",
    "을까요", "할까요", "군요", "는군요", "구나", "는구나",
  ]

  private static let longest = 4

  /// Splits a word into its stem and what ends it.
  /// - Parameter word: Hangul syllables, without punctuation.
  /// - Returns: how many of its syllables belong to the stem, and what the rest is; nil when the
  ///   word has nothing of the kind.
  public static func ending(of word: some Collection<Character>) -> (stem: Int, part: Part)? {
    let count = word.count
    for length in stride(from: min(longest, count - 1), through: 1, by: -1) {
      let form = String(word.suffix(length))
      if particles.contains(form) { return (count - length, .particle) }
      if endings.contains(form) { return (count - length, .ending) }
    }
    return nil
  }
}
