/// Texts to continue, in many scripts and forms: what tokenizers and drafters trip over.
public enum VerificationPrompts {
  /// A text and the name of its language or kind.
  public struct Text: Sendable {
    public var name: String
    public var text: String
  }

  /// Texts to continue as they are.
  public static let texts: [Text] = [
    ("English", "The lighthouse keeper counted the ships, and every evening he"),
    ("Korean", "눈치가 빠르다는 것은 다른 사람의 마음을"),
    ("code", "def fibonacci(n):\n    if n < 2:\n        return n\n    return"),
    ("Japanese", "吾輩は猫である。名前はまだ"),
    ("repetition", "one two three, one two three, one two three, one"),
    ("Chinese", "学而时习之，不亦说乎？有朋自远方来，"),
    ("German", "Die Donaudampfschifffahrtsgesellschaft wurde in Wien"),
    (
      "JSON",
      """
      {"items": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3,
      """
    ),
    ("Arabic", "عاصمة مصر هي القاهرة، وهي مدينة"),
    // 눈치가 빠르다, each syllable as its jamo.
    (
      "Korean, decomposed",
      "\u{1102}\u{116E}\u{11AB}\u{110E}\u{1175}\u{1100}\u{1161} "
        + "\u{1108}\u{1161}\u{1105}\u{1173}\u{1103}\u{1161}"
    ),
    ("French", "Longtemps, je me suis couché de bonne heure. Parfois, à"),
    ("Hindi", "भारत की राजधानी नई दिल्ली है और"),
    ("emoji", "😀 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 😀 👩‍👩‍👧‍👦"),
    ("Korean, loose jamo", "ㅋㅋㅋㅋ ㅠㅠ ㄱㄴㄷㄹ ㅏㅑㅓㅕ ㅋㅋ"),
    ("Spanish", "En un lugar de la Mancha, de cuyo nombre no quiero"),
    ("Russian", "Все счастливые семьи похожи друг на друга, каждая"),
    ("Korean, mixed", "어제 Tokyo에서 寿司를 먹고 YouTube로 3번이나"),
    ("Vietnamese", "Việt Nam là một quốc gia nằm ở phía đông bán đảo"),
    ("Swift", "struct Point {\n  var x: Int\n  var y: Int\n\n  func"),
    ("numbers", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,"),
  ].map { Text(name: $0.0, text: $0.1) }

  /// Messages to answer, for models with a chat template.
  public static let messages: [Text] = [
    Text(name: "chat, English", text: "Copy this sentence twice: the quick brown fox jumps."),
    Text(name: "chat, Korean", text: "한국의 수도는 어디인가요? 한 문장으로 대답해 주세요."),
  ]
}
