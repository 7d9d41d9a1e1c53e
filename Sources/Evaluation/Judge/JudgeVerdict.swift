import Foundation

/// What a judge says. Double brackets, as they were asked for, count before all else. Where there are
/// none, a line such as `Rating: 8` or `결론: 8/10` does, and a last line that is nothing but `8/10`
/// or `8점`. What can be read in two ways is no verdict.
enum JudgeVerdict {
  /// A whole number from 1 to 10.
  static func rating(_ text: String) -> Int? {
    let values: [Int?]
    if let inside = bracketed(text) {
      values = inside.map {
        $0.wholeMatch(of: /\s*([0-9]+)(?:\s*\/\s*10)?\s*/).flatMap { Int($0.1) }
      }
    } else {
      let lines = lines(text)
      let labelled = lines.compactMap { $0.prefixMatch(of: ratingLine) }
      if !labelled.isEmpty {
        values = labelled.map { $0.2.contains(where: \.isNumber) ? nil : Int($0.1) }
      } else if let match = lines.last?.wholeMatch(of: ratingAlone) {
        values = [(match.1 ?? match.2).flatMap { Int($0) }]
      } else {
        // An answer that is nothing but a number.
        values = lines.count == 1 ? [Int(lines[0])] : []
      }
    }
    return only(values).flatMap { (1...10).contains($0) ? $0 : nil }
  }

  enum Winner: String, Codable, Sendable {
    case first = "A"
    case second = "B"
    case tie = "C"
  }

  static func winner(_ text: String) -> Winner? {
    if let inside = bracketed(text) {
      return only(inside.map { Winner(rawValue: $0.trimmingCharacters(in: .whitespaces)) })
    }
    let lines = lines(text)
    let labelled = lines.compactMap { $0.prefixMatch(of: winnerLine) }
    if !labelled.isEmpty { return only(labelled.map { Winner(rawValue: String($0.1)) }) }
    return lines.last?.wholeMatch(of: winnerAlone).flatMap { Winner(rawValue: String($0.1)) }
  }

  /// The value that all of them are; nil where one is none, or two differ.
  private static func only<Value: Hashable>(_ values: [Value?]) -> Value? {
    Set(values).count == 1 ? values[0] : nil
  }

  // Regular expressions are not sendable, so each is made when it is needed.

  /// A label, the number, a scale, and the rest of the line, in which no other number may stand.
  private static var ratingLine: Regex<(Substring, Substring, Substring)> {
    #/
    (?i)
    (?: (?: my | the | final | overall | 최종 | 종합 | 전체 ) \s* )*
    (?: rating | score | verdict | conclusion | 점수 | 평점 | 총점 | 평가 | 결론 )
    \s* [:：=] \s*
    (?: 10점 \s* (?: 만점에 | 중 ) \s* )?
    \[? \s* ([0-9]+) \s*
    (?: (?: \/ \s* 10 | out\sof\s10 ) (?! [0-9] | \.[0-9] ) | 점 )?
    (.*)
    /#
  }

  private static var ratingAlone: Regex<(Substring, Substring?, Substring?)> {
    #/
    (?i)
    (?:
      \[? ([0-9]+) \s* (?: \/ \s* 10 | out\sof\s10 ) \]?
      | (?: 10점 \s* (?: 만점에 | 중 ) \s* )? ([0-9]+) 점 (?: 입니다 )?
    )
    [.!。]?
    /#
  }

  private static var winnerLine: Regex<(Substring, Substring)> {
    #/
    (?: (?i: my | the | final | overall | 최종 | 종합 ) \s* )*
    (?i:
      winner | verdict | conclusion | better (?: \s assistant | \s answer )?
      | 결론 | 판정 | 승자 | 더\s나은\s(?: 도우미 | 답변 )
    )
    \s* [:：=] \s* (?i: assistant | 도우미 )? \s* \[? ([ABC]) \]? [.!。]? \s* $
    /#
  }

  private static var winnerAlone: Regex<(Substring, Substring)> {
    #/
    (?i: assistant | 도우미 )? \s* \[? ([ABC]) \]? [.!。]?
    /#
  }

  /// What stands in double brackets; nil where nothing does.
  private static func bracketed(_ text: String) -> [Substring]? {
    let parts = text.split(separator: "[[", omittingEmptySubsequences: false).dropFirst()
    guard !parts.isEmpty else { return nil }
    return parts.map { part in part.range(of: "]]").map { part[..<$0.lowerBound] } ?? "" }
  }

  /// Lines without the marks of Markdown, those that are not empty.
  private static func lines(_ text: String) -> [Substring] {
    text.filter { !"*_`#>".contains($0) }.split(whereSeparator: \.isNewline)
      .map { Substring($0.trimmingCharacters(in: .whitespaces)) }.filter { !$0.isEmpty }
  }
}
