import Foundation

/// Settings of plots that leave room for what stands at the edges.
extension GnuplotPicture {
  /// The names of the curves, below the plot.
  public static let keyBelow = "set key outside bottom center horizontal noenhanced height 0.7"

  /// The line at 1, where a speedup is none.
  public static let lineAtOne = "1 lc rgb '#c0392b' notitle"

  /// The name of an axis.
  /// - Parameter axis: `x` or `y`.
  public static func label(_ axis: String, _ text: String) -> String {
    "set \(axis)label \(quoted(text)) noenhanced"
  }

  /// A range with room at both ends, so that neither points nor their error bars are cut.
  public static func padded(
    _ values: some Collection<Double>, isLogarithmic: Bool = false
  ) -> ClosedRange<Double> {
    guard let low = values.min(), let high = values.max() else { return 0...1 }
    if isLogarithmic, low > 0 {
      let factor = high > low ? pow(high / low, 0.05) : 2
      return low / factor...high * factor
    }
    let room = high > low ? 0.05 * (high - low) : max(abs(high) / 2, 0.5)
    return low - room...high + room
  }

  /// A range from 0 to a little above the highest value.
  public static func fromZero(_ values: some Collection<Double>) -> ClosedRange<Double> {
    0...max((values.filter(\.isFinite).max() ?? 1) * 1.06, 1e-9)
  }

  /// `set xrange` or `set yrange`.
  public static func range(_ axis: String, _ range: ClosedRange<Double>) -> String {
    "set \(axis)range [\(range.lowerBound):\(range.upperBound)]"
  }

  /// Groups of bars. The first and the last are as wide as all others, and names that are too long
  /// to stand side by side are turned.
  /// - Parameter names: of the groups, from left to right.
  public static func bars(_ names: [String], hasErrors: Bool) -> String {
    let room = PlotLabels.plotWidth / Double(max(1, names.count))
    let isTurned = names.contains { PlotLabels.width(of: $0) > 0.9 * room }
    // Slanting names need two lines' width each.
    let turned = room < 40 ? "rotate by 90 right" : "rotate by 35 right"
    let ticks = names.enumerated().map { "\(quoted($0.element)) \($0.offset)" }
    return """
      set style data histograms
      set style histogram \(hasErrors ? "errorbars gap 2 lw 1.5" : "clustered gap 2")
      set style fill solid 0.7
      set boxwidth 0.9
      set xrange [-0.6:\(Double(names.count) - 0.4)]
      set xtics \(isTurned ? turned : "norotate") noenhanced \
      (\(ticks.joined(separator: ", ")))
      """
  }
}

/// Places for the names of points, so that none lies on another or on a point.
public struct PlotLabels {
  public struct Point: Sendable {
    public var x: Double
    public var y: Double
    /// nil for a point that has no name of its own but must stay in sight.
    public var text: String?
    /// The number of its line type.
    public var colour: Int

    public init(x: Double, y: Double, text: String?, colour: Int) {
      self.x = x
      self.y = y
      self.text = text
      self.colour = colour
    }
  }

  /// About what a plot's axes measure, in pixels.
  static let plotWidth = 780.0
  private static let plotHeight = 380.0
  private static let lineHeight = 19.0

  /// About how wide a text is, in pixels; a Hangul syllable is as wide as two letters.
  static func width(of text: String) -> Double {
    text.unicodeScalars.reduce(0) { $0 + ($1.value < 0x1100 ? 8 : 15) }
  }

  private struct Box {
    var (x, y, width, height): (Double, Double, Double, Double)

    func overlap(_ other: Box) -> Double {
      let across = (width + other.width) / 2 - abs(x - other.x)
      let along = (height + other.height) / 2 - abs(y - other.y)
      return across > 0 && along > 0 ? across * along : 0
    }
  }

  /// Commands that write each name beside its point: the first place of those around it, near ones
  /// first, where nothing stands.
  public static func commands(
    _ points: [Point], x: ClosedRange<Double>, y: ClosedRange<Double>
  ) -> [String] {
    func position(_ point: Point) -> (x: Double, y: Double) {
      (
        (point.x - x.lowerBound) / (x.upperBound - x.lowerBound) * plotWidth,
        (point.y - y.lowerBound) / (y.upperBound - y.lowerBound) * plotHeight
      )
    }
    var taken = points.map { point in
      let (x, y) = position(point)
      return Box(x: x, y: y, width: 12, height: 12)
    }
    return points.compactMap { point in
      guard let text = point.text, !text.isEmpty else { return nil }
      let (centre, width) = (position(point), width(of: text) + 4)
      var best: (box: Box, cost: Double)?
      for distance in 0..<16 {
        let (across, along) = (
          width / 2 + 8 + 14 * Double(distance), lineHeight * (0.8 + 0.7 * Double(distance))
        )
        for (dx, dy) in [
          (across, 0.0), (-across, 0), (0, along), (0, -along), (across, along), (-across, along),
          (across, -along), (-across, -along),
        ] {
          let box = Box(
            x: centre.x + dx, y: centre.y + dy, width: width, height: lineHeight)
          let isInside =
            box.x - width / 2 >= 0 && box.x + width / 2 <= plotWidth
            && box.y >= lineHeight / 2 && box.y <= plotHeight - lineHeight / 2
          let cost = taken.reduce(isInside ? 0 : 1e6) { $0 + $1.overlap(box) }
          if cost < best?.cost ?? .infinity { best = (box, cost) }
        }
        if best?.cost == 0 { break }
      }
      guard let box = best?.box else { return nil }
      taken.append(box)
      let (left, bottom) = (
        x.lowerBound + box.x / plotWidth * (x.upperBound - x.lowerBound),
        y.lowerBound + box.y / plotHeight * (y.upperBound - y.lowerBound)
      )
      return "set label \(GnuplotPicture.quoted(text)) at first \(left),\(bottom) center "
        + "tc lt \(point.colour) noenhanced"
    }
  }
}
