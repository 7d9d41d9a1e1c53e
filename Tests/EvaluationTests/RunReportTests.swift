import Foundation
import Testing

@testable import Evaluation
@testable import ModelFiles
@testable import Nunchi

@Suite struct RunReportTests {
  private static let hostile =
    "<script>alert('x')</script>\"><img src=x onerror=alert(1)> {{title}}"

  /// A run of two languages with texts that try to be more than texts.
  private func session(
    _ path: String?, text: String = hostile, token: String = hostile
  ) throws -> RunSession {
    let questions = ["ko", "en"].map { (language: String) in
      Question(id: "\(language)-1", category: "qa & <b>", language: language, turns: [text])
    }
    let session = try RunSession(
      RunDatabase(path: path), conditions: conditions(), command: ["nunchi", token],
      questions: Shard.whole.questions(of: questions))
    var drafted = [
      promptStep(verify: 1), round(drafted: 2, accepted: 1, verify: 1.25),
      round(drafted: 3, accepted: 0, verify: 1.25),
    ]
    for index in drafted.indices.dropFirst() {
      drafted[index].parents = drafted[index].drafted.indices.map { $0 - 1 }
      drafted[index].sources = drafted[index].drafted.map { _ in "d<i>" }
      var tree = DraftTree()
      tree.add(7, score: 0.8, source: "d<i>")
      drafted[index].proposals = [DrafterProposal(drafter: "d<i>", tree: tree, seconds: 0)]
    }
    let plain =
      [promptStep(verify: 1)]
      + Array(repeating: round(drafted: 0, accepted: 0, verify: 1), count: 3)
    for question in questions {
      for answer in answers(question.id, plain: plain, drafter: drafted, text: text) {
        // A token of half a character, and one of markup.
        try session.add(answer) { $0 == 1 ? [0xED, 0x95] : Array(token.utf8) }
      }
    }
    try session.note(
      costs: VerificationCosts(points: [
        .init(rows: 1, seconds: 0.01), .init(rows: 4, seconds: 0.02),
      ]),
      peakMemory: 1_000_000)
    return session
  }

  private func page(_ sessions: [RunSession], _ folder: String) throws -> String {
    let problems = try RunReport(sessions.map { ($0.run, $0.database) }, folder: folder).write()
    #expect(problems.isEmpty)
    return try String(contentsOfFile: "\(folder)/index.html", encoding: .utf8)
  }

  private func withFolder(_ body: (String) throws -> Void) throws {
    try withTemporaryFile { try body(URL(fileURLWithPath: $0).deletingLastPathComponent().path) }
  }

  @Test("a page has every part, and its plots as PNG, SVG and CSV")
  func parts() throws {
    try withFolder { folder in
      let page = try page([session(nil)], folder)
      for part in [
        "Summary", "Speedup by task", "Speedup by language", "Acceptance by position",
        "What verification costs", "Calibration", "Where drafts are right",
        "What was rejected most", "Step by step", "Conditions",
      ] {
        #expect(page.contains("<h2>\(part)</h2>"), "\(part)")
      }
      // Plain: 3 s for 3 tokens; drafted: 2.5 s.
      #expect(page.contains("<td>d</td><td>1.20</td>"))
      #expect(page.components(separatedBy: "data:image/svg+xml;base64,").count == 6)
      let files = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/plots")
      for plot in ["speedup-task", "speedup-language", "positions", "costs", "calibration"] {
        #expect(files.contains("\(plot).png") && files.contains("\(plot).svg"), "\(plot)")
      }
      #expect(!files.contains { $0.hasSuffix(".part") })
    }
  }

  @Test("texts stay texts, whatever stands in them")
  func hostile() throws {
    try withFolder { folder in
      let page = try page([session(nil)], folder)
      for text in ["<script", "<img src=x", "<b>", "<i>", "alert('x')"] {
        #expect(!page.contains(text), "\(text)")
      }
      #expect(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&gt;&lt;img"))
      // A template in a text is no template.
      #expect(page.contains("{{title}}"))
    }
  }

  @Test("an answer of ten megabytes is a page, too")
  func large() throws {
    try withFolder { folder in
      let page = try page(
        [session(nil, text: String(repeating: "긴 <글> ", count: 1_000_000))], folder)
      #expect(page.utf8.count > 10_000_000)
      #expect(!page.contains("<글>"))
    }
  }

  @Test("two runs stand side by side")
  func compare() throws {
    try withFolder { folder in
      let page = try page([session(nil), session(nil)], folder)
      #expect(page.contains("<td>A: d</td>") && page.contains("<td>B: d</td>"))
      #expect(page.contains("<h2>Calibration (B)</h2>"))
    }
  }

  @Test("each run has a letter of its own")
  func letters() {
    #expect((0..<5).map(RunReport.label) == ["A", "B", "C", "D", "E"])
    #expect(Set((0..<100).map(RunReport.label)).count == 100)
    #expect(RunReport.label(26) == "A2")
  }

  @Test("a browser shows it without a sideways scroll on a screen, on a phone, and on paper")
  func browser() throws {
    let program = ["chromium", "chromium-browser", "google-chrome"].first {
      ChildProcess.find($0, environment: ProcessInfo.processInfo.environment) != nil
    }
    let browser = try #require(program, "Scripts/setup.sh tests installs one")
    try withFolder { folder in
      _ = try page([session(nil)], folder)
      func run(_ arguments: [String]) throws -> String {
        let tool = ChildProcess(
          program: browser,
          arguments: [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--allow-file-access-from-files", "--user-data-dir=\(folder)/profile",
            "--virtual-time-budget=10000",
          ] + arguments, purpose: "to look at the report")
        let (result, text) = try tool.output()
        #expect(result.status == 0, "\(result.errors)")
        return text
      }
      for width in [1280, 390] {
        // The page in a frame as wide as the screen, and a script beside it that measures.
        let frame = """
          <body style="margin:0"><iframe id="f" src="index.html" width="\(width)" height="800"
          style="border:0"></iframe><p id="result"></p><script>
          const f = document.getElementById("f");
          f.onload = () => {
            const d = f.contentDocument;
            for (const e of d.querySelectorAll("details")) e.open = true;
            const images = [...d.images].every(i => i.naturalWidth > 0);
            document.getElementById("result").textContent =
              `width ${d.documentElement.scrollWidth} images ${images} ${d.images.length}` +
              ` pieces ${d.querySelectorAll(".text span").length}` +
              ` scripts ${d.scripts.length}`;
          };
          </script></body>
          """
        try Data(frame.utf8).write(to: URL(fileURLWithPath: "\(folder)/frame.html"))
        let dom = try run(["--dump-dom", "file://\(folder)/frame.html"])
        #expect(
          dom.contains("width \(width) images true 5 pieces 6 scripts 0"),
          "\(dom.components(separatedBy: "result").last ?? "")")
        let picture = "\(folder)/screen-\(width).png"
        _ = try run([
          "--window-size=\(width),900", "--screenshot=\(picture)", "file://\(folder)/index.html",
        ])
        let image = try #require(FileManager.default.contents(atPath: picture))
        #expect(image.starts(with: [0x89, 0x50, 0x4E, 0x47]))
        // A blank page of this size is a few kilobytes.
        #expect(image.count > 20_000)
      }
      let paper = "\(folder)/paper.pdf"
      _ = try run(["--print-to-pdf=\(paper)", "file://\(folder)/index.html"])
      let pdf = try #require(FileManager.default.contents(atPath: paper))
      #expect(pdf.starts(with: Data("%PDF".utf8)))
      #expect(pdf.count > 50_000)
    }
  }
}
