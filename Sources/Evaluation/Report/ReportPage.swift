import Foundation
import Mustache

/// A page for a browser that needs nothing but itself.
public struct ReportPage: Sendable {
  /// A table whose first column names the rows.
  public struct Table: Sendable {
    public var columns: [String]
    public var rows: [[String]]
    public var isEmpty: Bool { rows.isEmpty }
  }

  /// Text in the words of who proposed it.
  public struct Piece: Sendable {
    public var text: String
    /// `accepted`, `corrected` or `plain`, and the drafter's colour.
    public var style: String
    /// What is told of the token when one points at it.
    public var title: String
  }

  public struct Answer: Sendable {
    public var title: String
    public var note: String
    public var prompt: String
    public var pieces: [Piece]
  }

  public struct Legend: Sendable {
    public var name: String
    public var style: String
  }

  /// A part of the page: any of a text, a plot, a table, and answers to look at.
  public struct Section: Sendable {
    public var title: String
    public var text: String
    /// A picture as a data URL, and what it shows.
    public var figure: String?
    public var description: String
    public var table: Table?
    public var legend: [Legend]
    public var answers: [Answer]
    /// The command that makes the figures again.
    public var command: String

    public init(
      _ title: String, text: String = "", figure: String? = nil, table: Table? = nil,
      legend: [Legend] = [], answers: [Answer] = [], command: String = ""
    ) {
      self.title = title
      self.text = text
      self.figure = figure
      description = title
      self.table = table
      self.legend = legend
      self.answers = answers
      self.command = command
    }
  }

  /// The language's code, and the heading of the conditions in it.
  private var language: String
  private var conditionsTitle: String
  public var title: String
  public var subtitle: String
  public var sections: [Section]
  /// What the figures depend on.
  public var conditions: [Table]

  public init(
    title: String, subtitle: String, sections: [Section], conditions: [Table],
    language: ReportLanguage
  ) {
    self.language = language.rawValue
    conditionsTitle = language(.conditions)
    self.title = title
    self.subtitle = subtitle
    self.sections = sections
    self.conditions = conditions
  }

  /// The page. All texts are escaped.
  public func html() throws -> String {
    let path = try ShippedFiles.path(of: "page.mustache")
    return try MustacheTemplate(string: String(contentsOfFile: path, encoding: .utf8))
      .render(self)
  }
}
