import Foundation
import ModelFiles

/// Draws the loss table with gnuplot: `loss.png` and `loss.svg`.
struct LossPicture {
  let folder: String
  /// The table's columns after the fixed ones.
  let columns: [String]
  let title: String

  private static let files = [("pngcairo", "loss.png"), ("svg", "loss.svg")]

  /// - Returns: why there is no picture, in a line; nil when there is one.
  func draw(environment: [String: String] = ProcessInfo.processInfo.environment) -> String? {
    let gnuplot = ChildProcess(
      program: "gnuplot", arguments: ["-"], purpose: "to draw the loss curve",
      environment: environment, input: script)
    defer { for (_, file) in Self.files { unlink("\(folder)/\(file).part") } }
    do {
      let (result, _) = try gnuplot.output()
      guard result.status == 0 else {
        let reason = result.errors.split(separator: "\n").last ?? "gnuplot failed"
        return "no picture of the loss: \(reason.trimmingCharacters(in: .whitespaces))"
      }
      for (_, file) in Self.files { rename("\(folder)/\(file).part", "\(folder)/\(file)") }
      return nil
    } catch {
      return "no picture of the loss: \(error)"
    }
  }

  /// The loss, its running mean, and the validation's loss where there is one. Drawn under
  /// another name first, so that no picture is ever half of one.
  private var script: String {
    let loss = LossTable.fixedColumns.count
    var curves = [
      "'loss.csv' using 1:\(loss) with lines lc rgb '#b9cbe4' title 'loss'",
      "'' using 1:(valid(\(loss)) ? mean($\(loss)) : NaN) with lines lw 2 lc rgb '#1f4e9c' "
        + "title 'running mean'",
    ]
    if let index = columns.firstIndex(of: LossTable.validationPrefix + "loss") {
      curves.append(
        "'' using 1:\(loss + index + 1) with linespoints lw 2 pt 7 ps 0.7 lc rgb '#c0392b' "
          + "title 'validation'")
    }
    let plots = Self.files.map { terminal, file in
      """
      set terminal \(terminal) size 1200,700 background rgb 'white'
      set output '\(file).part'
      count = 0
      plot \(curves.joined(separator: ", "))
      unset output

      """
    }
    return """
      cd \(Self.quoted(folder))
      set datafile separator comma
      set datafile columnheaders
      set title \(Self.quoted(title)) noenhanced
      set xlabel 'step'
      set ylabel 'loss'
      set grid
      set key top right
      sum = 0.0
      mean(x) = (count = count + 1, sum = count == 1 ? x : 0.95 * sum + 0.05 * x, sum)
      \(plots.joined())
      """
  }

  /// A string for gnuplot, in double quotes.
  private static func quoted(_ text: String) -> String {
    "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }
}
