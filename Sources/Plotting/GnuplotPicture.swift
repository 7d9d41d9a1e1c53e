import Foundation
import ModelFiles

/// A plot that gnuplot draws from tables of a folder: `NAME.png` and `NAME.svg`.
public struct GnuplotPicture: Sendable {
  public var folder: String
  public var name: String
  /// What stands above the plot; nothing if empty.
  public var title: String
  /// Commands before the plot. Tables are divided by commas and have a line of column names.
  public var settings: String
  /// What comes after `plot`.
  public var plot: String
  /// Commands before each of the two plots.
  public var reset: String

  public init(
    folder: String, name: String, title: String = "", settings: String, plot: String,
    reset: String = ""
  ) {
    self.folder = folder
    self.name = name
    self.title = title
    self.settings = settings
    self.plot = plot
    self.reset = reset
  }

  /// Draws it, under other names first, so that no picture is ever half of one.
  /// - Returns: why there is no picture, in a line; nil when there is one.
  public func draw(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String? {
    let files = [("pngcairo", "\(name).png"), ("svg", "\(name).svg")]
    let gnuplot = ChildProcess(
      program: "gnuplot", arguments: ["-"], purpose: "to draw \(name)",
      environment: environment, input: script(files))
    defer { for (_, file) in files { unlink("\(folder)/\(file).part") } }
    do {
      let (result, _) = try gnuplot.output()
      guard result.status == 0 else {
        let reason = result.errors.split(separator: "\n").last ?? "gnuplot failed"
        return "no picture of \(name): \(reason.trimmingCharacters(in: .whitespaces))"
      }
      for (_, file) in files { rename("\(folder)/\(file).part", "\(folder)/\(file)") }
      return nil
    } catch {
      return "no picture of \(name): \(error)"
    }
  }

  /// Has Hangul; fontconfig takes another where it is missing.
  static let font = "NanumGothic,13"

  private func script(_ files: [(terminal: String, file: String)]) -> String {
    let plots = files.map { terminal, file in
      """
      set terminal \(terminal) size 900,540 font '\(Self.font)' background rgb 'white'
      set output '\(file).part'
      \(reset)
      plot \(plot)
      unset output

      """
    }
    return """
      cd \(Self.quoted(folder))
      set datafile separator comma
      set datafile columnheaders
      set decimalsign '.'
      set grid
      \(title.isEmpty ? "" : "set title \(Self.quoted(title)) noenhanced")
      \(settings)
      \(plots.joined())
      """
  }

  /// A string for gnuplot, in double quotes.
  public static func quoted(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    return "\"" + escaped.replacing("\n", with: "\\n") + "\""
  }
}
