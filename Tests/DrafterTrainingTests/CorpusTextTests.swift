import Foundation
import Testing
import Tokenization

@testable import DrafterTraining

@Suite("Corpus: languages, HTML, normalisation and duplicates")
struct CorpusTextTests {
  static let samples: [(language: String, script: Script, text: String)] = [
    ("en", .latin, "Opens a dialog where you can select the columns that are to be sorted."),
    ("en", .latin, "To undo the last command, press Ctrl+Z, or choose Edit - Undo from the menu."),
    ("ko", .hangul, "LibreOffice Calc에서 셀을 선택하고 Ctrl+C를 누르면 복사됩니다."),
    ("ko", .hangul, "이 기능은 文書의 머리글을 바꿀 때 씁니다."),
    ("ja", .japanese, "選択したセルの書式を設定するダイアログを開きます。"),
    ("zh", .han, "在「则」框中选择"),
    ("zh", .han, "打开一个对话框，您可以在其中设置所选单元格的格式。"),
    ("de", .latin, "Öffnet einen Dialog, in dem Sie die zu sortierenden Spalten auswählen können."),
    (
      "fr", .latin,
      "Ouvre une boîte de dialogue dans laquelle vous choisissez les colonnes à trier."
    ),
    ("es", .latin, "Abre un diálogo en el que se eligen las columnas que se van a ordenar."),
    ("ar", .arabic, "يفتح مربع حوار يمكنك فيه اختيار الأعمدة المطلوب فرزها."),
    ("ru", .cyrillic, "Открывает диалог, в котором выбираются столбцы для сортировки в Calc."),
    ("vi", .latin, "Mở hộp thoại để bạn chọn các cột cần sắp xếp trong trang tính."),
    (
      "it", .latin,
      "Apre una finestra di dialogo nella quale si scelgono le colonne che sono ordinate."
    ),
    ("pt", .latin, "Abre uma caixa de diálogo em que você pode escolher as colunas da planilha."),
    ("nl", .latin, "Opent een venster waarin u de kolommen kunt kiezen die worden gesorteerd."),
  ]

  @Test("A sentence's language and script are told", arguments: samples)
  func languages(sample: (language: String, script: Script, text: String)) {
    let found = LanguageDetector().detect(sample.text)
    #expect(found == .init(language: sample.language, script: sample.script))
  }

  @Test(
    "What has no language is not given one",
    arguments: [
      "", "12345 %&/", "=SUM(A1:B7)", "表示", "Ctrl+Shift+F11", "Київ є столицею України",
      "یک پنجره باز می‌شود گزینه",
    ])
  func undetermined(text: String) {
    #expect(LanguageDetector().detect(text).language == LanguageDetector.undetermined)
  }

  @Test("A page gives its heading and paragraphs, and nothing of its navigation")
  func page() {
    let html = """
      <!DOCTYPE html><html lang="ko"><head><title>도움말 - 표준 필터</title>
      <style>p > a { color: red }</style><script src="a.js">if (a < b) { "</p>" }</script></head>
      <body><header><p>LibreOffice Help</p><nav><ul><li>Contents</ul></nav></header>
      <!-- <p>hidden</p> --><div id=x><h1 dir="auto">표준 필터</h1>
      <p class="paragraph" title='a > b'><span>필터링 옵션을
      설정할</span> 수&nbsp;있습니다.<p>A &lt; B &amp;&#xAC00;&#44032; &unknown; 1 < 2<br>x</p>
      <pre>
      if a:
          b &gt; 1
      </pre><img src="a.svg" alt="아이콘"></div><footer><p>DEBUG</p></footer></body></html>
      """
    let page = HTMLText(html)
    #expect(page.title == "표준 필터")
    #expect(
      page.paragraphs == [
        "표준 필터", "필터링 옵션을 설정할 수 있습니다.", "A < B &가가 &unknown; 1 < 2 x",
        "if a:\n    b > 1",
      ])
  }

  @Test(
    "Broken pages give what can be read",
    arguments: [
      ("<p>a", ["a"]), ("a <", ["a <"]), ("<p", []), ("<script>never closed <p>x", []),
      ("<!-- never closed", []), ("</div></p>x&#0;&#xFFFFFFFF;", ["x&#0;&#xFFFFFFFF;"]),
      ("<P>A</P><TITLE>b</Title><p>c", ["A", "c"]), ("<header>a<p>b</header>c", ["c"]),
    ])
  func brokenPages(html: String, paragraphs: [String]) {
    #expect(HTMLText(html).paragraphs == paragraphs)
  }

  @Test("Decomposed Hangul becomes syllables, and what cannot be seen goes")
  func normalisation() {
    let jamo = "\u{1112}\u{1161}\u{11AB}\u{1100}\u{1173}\u{11AF}"
    let text = TextNormalisation.prose(
      "\u{FEFF}  \(jamo)\u{AD}\u{200B}\u{A0} e\u{301}\r\n\n\n x\u{7}\n")
    #expect(Array(text.unicodeScalars) == Array("한글 é\n\nx".unicodeScalars))
  }

  @Test("Code keeps its spaces")
  func code() {
    #expect(TextNormalisation.code("\r\n\tif x:\r\n\t\ty  z\n") == "\tif x:\n\t\ty  z")
  }

  @Test("A text with a few words changed is a duplicate, another one is not")
  func nearDuplicates() {
    let words = (0..<300).map { "word\($0 * 7919 % 1000)" }
    var changed = words
    changed[150] = "other"
    let texts = [
      words.joined(separator: " "), words.joined(separator: "\n").uppercased(),
      changed.joined(separator: " "), words.reversed().joined(separator: " "), "short", "short",
      "shirt",
    ]
    #expect(repeated(texts) == [false, true, true, false, false, true, false])
  }

  /// Which of the texts nearly equal an earlier one.
  private func repeated(_ texts: [String]) -> [Bool] {
    var near = NearDuplicates(threshold: 0.8)
    return texts.map { near.insert($0) }
  }

  @Test("Half of a text is no duplicate of it")
  func halfDuplicates() {
    let text = (0..<400).map { "\($0 * 7919 % 1000)" }.joined(separator: " ")
    #expect(repeated([text, String(text.prefix(text.count / 2))]) == [false, false])
  }

  @Test("Long texts are cut between paragraphs, and nothing is lost")
  func parts() {
    let paragraph = String(repeating: "가나다 ", count: 30).trimmingCharacters(in: .whitespaces)
    let text = Array(repeating: paragraph, count: 9).joined(separator: "\n\n")
    let parts = CorpusBuilder.parts(of: text, at: 300)
    #expect(parts.joined(separator: "\n\n") == text)
    #expect(parts.allSatisfy { $0.count <= 300 })
    let solid = String(repeating: "x", count: 700)
    #expect(CorpusBuilder.parts(of: solid, at: 300).map(\.count) == [300, 300, 100])
  }

  @Test("A group stays in its part, whose share is as asked")
  func split() throws {
    let split = try CorpusSplit(heldout: 0.1, validation: 0.2)
    let parts = (0..<4000).map { split.split(of: "help/page\($0).html") }
    let shares = Split.allCases.map { part in
      Double(parts.count { $0 == part }) / Double(parts.count)
    }
    let expected = [0.7, 0.2, 0.1]
    for (share, wanted) in zip(shares, expected) { #expect(abs(share - wanted) < 0.02) }
    // What is held out stays so when more is.
    let wider = try CorpusSplit(heldout: 0.2, validation: 0.2)
    for number in 0..<4000 where parts[number] == .heldout {
      #expect(wider.split(of: "help/page\(number).html") == .heldout)
    }
    let bad = TrainingError.setting(
      name: "heldout and validation", expected: "less than 1 together", found: "1.2")
    #expect(throws: bad) { try CorpusSplit(heldout: 0.7, validation: 0.5) }
  }
}
