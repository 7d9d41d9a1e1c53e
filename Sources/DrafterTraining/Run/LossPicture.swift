import Foundation
import Plotting

/// Draws the loss table with gnuplot: `loss.png` and `loss.svg`.
struct LossPicture {
  let folder: String
  /// The table's columns after the fixed ones.
  let columns: [String]
  let title: String

  /// - Returns: why there is no picture, in a line; nil when there is one.
  func draw(environment: [String: String] = ProcessInfo.processInfo.environment) -> String? {
    GnuplotPicture(
      folder: folder, name: "loss",
      settings: """
        set title \(GnuplotPicture.quoted(title)) noenhanced
        set xlabel 'step'
        set ylabel 'loss'
        set key top right
        sum = 0.0
        mean(x) = (count = count + 1, sum = count == 1 ? x : 0.95 * sum + 0.05 * x, sum)
        """,
      plot: curves.joined(separator: ", "), reset: "count = 0"
    ).draw(environment: environment)
  }

  /// The loss, its running mean, and the validation's loss where there is one.
  private var curves: [String] {
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
    return curves
  }
}
