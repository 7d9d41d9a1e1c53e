import Foundation
import ModelFiles
import Nunchi
import Speculation
import Testing

private func header(model: String = "tiny", threads: Int = 2, version: Int = 1) throws
  -> TraceFile.Header
{
  let json = """
    {"nunchiTrace": \(version), "model": "\(model)", "drafter": "suffix", "rule": "match",
     "threads": \(threads), "instructionSet": "portable",
     "costs": [{"rows": 1, "seconds": 0.25}, {"rows": 4, "seconds": 0.5}]}
    """
  return try JSONDecoder().decode(TraceFile.Header.self, from: Data(json.utf8))
}

private func traces() -> [StepTrace] {
  var prompt = StepTrace(phase: .prompt, position: 3)
  prompt.promptTokens = 3
  prompt.tokens = [5]
  var round = StepTrace(phase: .round, position: 4)
  let tree = DraftTree(chain: [6, 7, 8], score: 0.25, source: "suffix")
  round.budget = DraftBudget(nodes: 8, depth: 4)
  round.reason = .worth
  round.expectedTokens = 1.5
  round.proposals = [DrafterProposal(drafter: "suffix", tree: tree, seconds: 0.125)]
  round.drafted = [6, 7]
  round.parents = [-1, 0]
  round.sources = ["suffix", "suffix"]
  round.accepted = [0]
  round.tokens = [6, 9]
  round.recovered = true
  round.rows = 3
  round.verifySeconds = 0.5
  return [prompt, round]
}

/// Runs with the path of a file that is removed afterwards.
private func withFile(_ text: String? = nil, _ body: (String) throws -> Void) throws {
  let path = NSTemporaryDirectory() + "/nunchi-\(UUID().uuidString).jsonl"
  defer { try? FileManager.default.removeItem(atPath: path) }
  if let text { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }
  try body(path)
}

/// The line that reading such a file complains about; nil when it does not.
private func refusedLine(_ text: String) throws -> Int? {
  var line: Int?
  try withFile(text) { path in
    do {
      _ = try TraceFile(path: path)
    } catch NunchiError.malformedTrace(let named, let found, _, _) {
      #expect(named == path)
      line = found
    }
  }
  return line
}

@Suite struct TraceFileTests {
  @Test("what is appended is read back, generation after generation")
  func roundTrip() throws {
    try withFile { path in
      try TraceFile.append(header(), traces(), to: path)
      try TraceFile.append(header(), traces(), to: path)
      let file = try TraceFile(path: path)
      #expect(file.header == (try header()))
      #expect(file.traces == traces() + traces())
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(text.hasSuffix("\n") && text.split(separator: "\n").count == 6)
    }
  }

  @Test("a torn line is refused by its number")
  func torn() throws {
    let whole = String(decoding: try TraceFile.lines(header(), traces()), as: UTF8.self)
    #expect(try refusedLine(whole) == nil)
    #expect(try refusedLine(String(whole.dropLast(20))) == 3)
    #expect(try refusedLine(whole + whole.prefix(30)) == 4)
    #expect(try refusedLine(whole + "{}\n") == 4)
    #expect(try refusedLine("\u{0}\u{1}") == 1)
  }

  @Test("a file without a header, or of nothing, is refused")
  func noHeader() throws {
    let whole = String(decoding: try TraceFile.lines(header(), traces()), as: UTF8.self)
    let steps = whole.split(separator: "\n").dropFirst().joined(separator: "\n")
    #expect(try refusedLine(steps) == 1)
    #expect(try refusedLine("") == 1)
    let missing = NSTemporaryDirectory() + "/nunchi-\(UUID().uuidString)/none.jsonl"
    #expect(throws: ModelFileError.self) { try TraceFile(path: missing) }
    #expect(throws: ModelFileError.self) { try TraceFile.append(header(), [], to: missing) }
  }

  @Test("other versions, models and threads do not mix")
  func mixing() throws {
    func text(_ header: TraceFile.Header) throws -> String {
      String(decoding: try TraceFile.lines(header, traces()), as: UTF8.self)
    }
    let first = try text(header())
    #expect(try refusedLine(text(header(version: 2))) == 1)
    #expect(try refusedLine(first + text(header(model: "other"))) == 4)
    #expect(try refusedLine(first + text(header(threads: 1))) == 4)
  }

  @Test("steps whose trees are none are refused")
  func hostile() throws {
    func line(_ change: (inout StepTrace) -> Void) throws -> Int? {
      var all = traces()
      change(&all[1])
      return try refusedLine(
        String(decoding: try TraceFile.lines(header(), all), as: UTF8.self))
    }
    #expect(try line { $0.proposals[0].parents = [-1, 0, 2] } == 3)
    #expect(try line { $0.proposals[0].parents = [-1, 0, -2] } == 3)
    #expect(try line { $0.proposals[0].scores = [0.5] } == 3)
    #expect(try line { $0.proposals[0].tokens = [6] } == 3)
    #expect(try line { $0.parents = [-1] } == 3)
    #expect(try line { $0.accepted = [0, 1] } == 3)
  }
}
