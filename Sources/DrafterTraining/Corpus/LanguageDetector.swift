import Tokenization

/// Tells the language of a paragraph: by its script where that is enough, and by function words and
/// letters among the languages in Latin letters.
///
///     LanguageDetector().detect("Wählen Sie eine Datei aus.").language  // "de"
///
/// It knows English, Korean, Japanese, Chinese, German, French, Spanish, Russian and Vietnamese,
/// and Italian, Portuguese and Dutch so as not to take them for one of those. Texts of other
/// languages in Latin or Cyrillic letters should come out as `und`, but nothing measures that.
public struct LanguageDetector: Sendable {
  public struct Detection: Sendable, Hashable {
    /// ISO 639-1, or `und` when it cannot be told.
    public var language: String
    public var script: Script
  }

  /// The languages that it tells apart.
  static let languages = Set(["ko", "ja", "zh", "ru", "vi"] + LanguageProfile.all.map(\.language))

  /// The code for a language that cannot be told.
  public static let undetermined = "und"

  /// Shares of a word's vote, by the word.
  private let votes: [String: [(language: Int, weight: Double)]]
  private let letterVotes: [Character: [(language: Int, weight: Double)]]

  public init() {
    var votes: [String: [(language: Int, weight: Double)]] = [:]
    var letterVotes: [Character: [(language: Int, weight: Double)]] = [:]
    let profiles = LanguageProfile.all
    for (index, profile) in profiles.enumerated() {
      for word in profile.words {
        votes[word, default: []].append((index, profile.isDecoy ? 0.8 : 1))
      }
      for letter in profile.letters { letterVotes[letter, default: []].append((index, 0.7)) }
    }
    // What several languages have in common says less.
    func shared(_ voters: [(language: Int, weight: Double)]) -> [(language: Int, weight: Double)] {
      voters.map { ($0.language, $0.weight / Double(voters.count)) }
    }
    self.votes = votes.mapValues(shared)
    self.letterVotes = letterVotes.mapValues(shared)
  }

  /// The language and script of a text. Only its first 1,000 characters are looked at.
  public func detect(_ text: some StringProtocol) -> Detection {
    let sample = text.prefix(1000)
    let counts = ScriptCounts(sample)
    let script = counts.script
    return Detection(language: language(of: sample, counts, script), script: script)
  }

  private func language(of text: some StringProtocol, _ counts: ScriptCounts, _ script: Script)
    -> String
  {
    switch script {
    case .hangul: return "ko"
    case .japanese: return "ja"
    // A few Chinese characters may be a Japanese heading as well.
    case .han: return isChinese(text, counts) ? "zh" : Self.undetermined
    case .cyrillic: return counts.notRussian * 50 > counts.cyrillic ? Self.undetermined : "ru"
    case .latin:
      let language = latinLanguage(of: text, counts)
      if language != Self.undetermined { return language }
      // Mostly names and formulas, in a sentence of another script.
      if counts.hangul >= 3 { return "ko" }
      if counts.kana >= 3 { return "ja" }
      return isChinese(text, counts) ? "zh" : Self.undetermined
    // Letters that Persian and Urdu have and Arabic has not.
    case .arabic: return text.contains { "پچژگ".contains($0) } ? Self.undetermined : "ar"
    case .other: return Self.undetermined
    }
  }

  /// Simplified characters that Japanese does not write.
  private static let chinese = Set("们您这选择设为请击输个对关开闭则页栏项显边框类给说话时应样将从还没过进让单仅转换")

  private func isChinese(_ text: some StringProtocol, _ counts: ScriptCounts) -> Bool {
    counts.kana == 0
      && (counts.han >= 10 || counts.han >= 3 && text.contains { Self.chinese.contains($0) })
  }

  private func latinLanguage(of text: some StringProtocol, _ counts: ScriptCounts) -> String {
    if counts.vietnamese * 25 >= counts.latin { return "vi" }
    var scores = [Double](repeating: 0, count: LanguageProfile.all.count)
    var words = 0
    for word in text.lowercased().split(whereSeparator: { !$0.isLetter }) {
      words += 1
      for vote in votes[String(word)] ?? [] { scores[vote.language] += vote.weight }
      if word.count > 4 {
        for (index, profile) in LanguageProfile.all.enumerated()
        where profile.endings.contains(where: { word.hasSuffix($0) }) {
          scores[index] += 0.5
        }
      }
      for letter in word {
        guard !letter.isASCII else { continue }
        for vote in letterVotes[letter] ?? [] { scores[vote.language] += vote.weight }
      }
    }
    let order = scores.indices.sorted { scores[$0] > scores[$1] }
    let (best, second) = (scores[order[0]], scores[order[1]])
    guard best >= 1, best >= 0.06 * Double(words), best > 1.15 * second else {
      return Self.undetermined
    }
    return LanguageProfile.all[order[0]].language
  }
}

/// Frequent function words of a language in Latin letters, and the letters that it has beyond a–z.
struct LanguageProfile {
  let language: String
  let words: [String]
  let letters: String
  let endings: [String]
  /// Known only so as not to be taken for another; it has to be clearer.
  let isDecoy: Bool

  private init(
    _ language: String, letters: String, endings: String, isDecoy: Bool = false, _ words: String
  ) {
    self.language = language
    self.letters = letters
    self.endings = endings.split(separator: " ").map(String.init)
    self.isDecoy = isDecoy
    self.words = words.split(whereSeparator: \.isWhitespace).map(String.init)
  }

  static let all = [
    LanguageProfile(
      "en", letters: "", endings: "ing tion ed ly ment ity",
      """
      the of to and is are was you in that this these those it its for with on at by from be been \
      can will would should could may must not but or if when which who what where how there here \
      has have had do does did your we they he she his her their them than then into only also \
      any all more most other some such each an as so about after before between out up over under \
      using used use select click choose set
      """),
    LanguageProfile(
      "de", letters: "äöüß", endings: "ung ungen lich isch keit heit en ern",
      """
      der die das den dem des ein eine einen einem einer eines und oder aber ist sind war wird \
      werden wurde kann können soll sollen muss müssen haben hat hatte nicht kein keine mit von \
      vom zu zum zur auf aus bei beim für über unter nach vor durch ohne gegen um bis seit ich du \
      er sie es wir ihr sich mich dich uns ihm ihn ihnen ihre ihren dieser diese dieses diesen \
      diesem wenn dann als wie wo wer dass daß weil auch noch nur schon sehr mehr hier dort im am \
      ins klicken wählen
      """),
    LanguageProfile(
      "fr", letters: "àâçèéêëîïôùûœæ", endings: "ez tion ment eur ique ent age ées oir",
      """
      le la les un une des du de et ou mais est sont était être avoir ont a au aux dans sur sous \
      par pour avec sans que qui quoi dont où ce cet cette ces il elle ils elles je tu nous vous \
      on ne pas plus son sa ses leur leurs votre vos notre nos se si comme lorsque quand peut \
      pouvez peuvent doit très aussi tout tous toute toutes même entre vers chez en y d l n s c j \
      qu cliquez sélectionnez choisissez saisissez à
      """),
    LanguageProfile(
      "es", letters: "áéíóúñü", endings: "ción ciones ado ada ar dor mente ico os ón",
      """
      el la los las un una unos unas de del al y e o u pero es son era ser está están estar hay ha \
      han en sobre bajo por para con sin que quien cual cuyo donde este esta esto estos estas ese \
      esa se su sus le les lo me te nos mi tu no más muy también todo todos toda todas si cuando \
      como puede pueden debe entre hasta desde hacia según porque cada otro otra pulse haga \
      seleccione vaya elija
      """),
    LanguageProfile(
      "it", letters: "àèéìòù", endings: "zione zioni mente ato ata", isDecoy: true,
      """
      il lo la i gli le un uno una di del della dello dei degli delle a al alla allo ai agli alle \
      da dal dalla in nel nella nei nelle con su sul sulla per tra fra e ed o ma è sono era essere \
      ha hanno che chi cui dove questo questa questi queste quello si non più anche come quando se \
      può possono deve ogni tutti tutte il suo sua
      """),
    LanguageProfile(
      "pt", letters: "áâãàçéêíóôõú", endings: "ção ções mente dade ões", isDecoy: true,
      """
      o a os as um uma uns umas de do da dos das ao aos à às em no na nos nas por pelo pela para \
      com sem e ou mas é são era ser está estão há que quem onde este esta isto esse essa isso \
      aquele se seu sua seus suas não mais muito também todo todos toda todas quando como pode \
      podem deve entre até desde cada você
      """),
    LanguageProfile(
      "nl", letters: "ëï", endings: "ing heid lijk isch", isDecoy: true,
      """
      de het een en of maar is zijn was waren wordt worden werd kan kunnen moet moeten heeft \
      hebben had niet geen met van voor op aan in uit bij naar door over onder tot om te ik jij je \
      u hij zij ze we wij hun dit dat deze die als dan wanneer waar wie wat hoe er hier daar ook \
      nog alleen meer zeer deze
      """),
  ]
}
