import Nunchi
import Speculation
import Tokenization

/// Answers as texts whose parts are coloured by who proposed them.
struct TraceView {
  private let bytes: [Int32: [UInt8]]
  private let language: ReportLanguage
  /// The drafters in the order of their colours.
  private(set) var sources: [String] = []

  /// Colours that the page has.
  static let colours = 8

  init(bytes: [Int32: [UInt8]], language: ReportLanguage) {
    self.bytes = bytes
    self.language = language
  }

  /// The pieces of an answer: a token each, or several that make up a character together.
  mutating func pieces(_ steps: [StepTrace]) -> [ReportPage.Piece] {
    var pieces: [ReportPage.Piece] = []
    var pending: [UInt8] = []
    for (number, step) in steps.enumerated() {
      for (index, token) in step.tokens.enumerated() {
        pending += bytes[token] ?? Array("[\(token)]".utf8)
        // The beginning of a character waits for the rest.
        guard StreamingDetokenizer.incompleteTail(pending) == 0 else { continue }
        let text = String(decoding: pending, as: UTF8.self)
        pending = []
        pieces.append(piece(text, step, index, number))
      }
    }
    if !pending.isEmpty {
      pieces.append(
        ReportPage.Piece(text: String(decoding: pending, as: UTF8.self), style: "", title: ""))
    }
    return pieces
  }

  private mutating func piece(
    _ text: String, _ step: StepTrace, _ index: Int, _ number: Int
  ) -> ReportPage.Piece {
    let pass = language(.pass, "\(number + 1)", "\(step.rows)")
    if index < step.accepted.count, step.accepted[index] < step.sources.count {
      let source = step.sources[step.accepted[index]]
      return ReportPage.Piece(
        text: text, style: style(of: source), title: language(.acceptedPiece, source, pass))
    }
    let last = step.accepted.last ?? -1
    guard let child = step.parents.firstIndex(of: last) else {
      return ReportPage.Piece(text: text, style: "", title: language(.ownPiece, pass))
    }
    let drafted = String(decoding: bytes[step.drafted[child]] ?? [], as: UTF8.self)
    return ReportPage.Piece(
      text: text, style: "corrected",
      title: language(.correctedPiece, step.sources[child], drafted, pass))
  }

  private mutating func style(of source: String) -> String {
    let place =
      sources.firstIndex(of: source)
      ?? {
        sources.append(source)
        return sources.count - 1
      }()
    return "c\(min(place, Self.colours - 1))"
  }

  var legend: [ReportPage.Legend] {
    sources.enumerated().map {
      ReportPage.Legend(
        name: language(.proposedBy, $0.element), style: "c\(min($0.offset, Self.colours - 1))")
    } + [
      ReportPage.Legend(name: language(.corrected), style: "corrected"),
      ReportPage.Legend(name: language(.own), style: ""),
    ]
  }
}
