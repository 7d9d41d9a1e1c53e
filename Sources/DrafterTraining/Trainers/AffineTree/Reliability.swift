import Drafters
import Foundation
import ModelFiles
import Plotting

/// What a predictor said of a candidate, and what was true.
struct Judgement {
  var logit: Double
  /// From 0 to 1.
  var label: Double
  /// Whether it is the most probable of its siblings.
  var isFirst: Bool
  /// Whether the calibration is fitted to it.
  var calibrates: Bool

  /// The temperature and bias of the least cross-entropy (Platt's scaling), by Newton's method.
  static func calibration(_ judgements: [Judgement]) -> AcceptancePredictor.Calibration {
    guard judgements.count >= 16 else { return .init() }
    // p = σ(a·z + b)
    var (a, b) = (1.0, 0.0)
    for _ in 0..<50 {
      var (ga, gb, haa, hab, hbb) = (0.0, 0.0, 1e-6, 0.0, 1e-6)
      for judgement in judgements {
        let z = judgement.logit
        let p = 1 / (1 + exp(-(a * z + b)))
        let (error, weight) = (p - judgement.label, p * (1 - p))
        ga += error * z
        gb += error
        haa += weight * z * z
        hab += weight * z
        hbb += weight
      }
      let determinant = haa * hbb - hab * hab
      guard determinant > 1e-12 else { break }
      let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant)
      a = max(1e-3, a - da)
      b -= db
      if abs(da) + abs(db) < 1e-9 { break }
    }
    return .init(temperature: 1 / a, bias: b)
  }
}

/// How far predicted chances are from what happens.
struct Reliability {
  struct Bin: Equatable {
    var count = 0
    /// Means of what was predicted and of what was true.
    var predicted = 0.0
    var observed = 0.0
  }

  /// By the predicted chance, in steps of equal width.
  private(set) var bins: [Bin]
  /// Σ n/N · |observed − predicted| over the bins (Naeini and others, AAAI 2015).
  let calibrationError: Double
  /// The mean squared distance of the chances from the labels (Brier, 1950).
  let brier: Double
  /// The chance that of an accepted and a rejected candidate the accepted one was given more: the
  /// area under the ROC curve. A label between 0 and 1 counts as both, by its share.
  let area: Double

  static let binCount = 15

  init(_ judgements: [Judgement], _ calibration: AcceptancePredictor.Calibration) {
    self.init(judgements.map { (calibration.probability($0.logit), $0.label) })
  }

  /// - Parameter pairs: predicted chances and labels.
  init(_ pairs: [(chance: Double, label: Double)]) {
    var bins = [Bin](repeating: Bin(), count: Self.binCount)
    var squares = 0.0
    for (chance, label) in pairs {
      let bin = min(Self.binCount - 1, Int(chance * Double(Self.binCount)))
      bins[bin].count += 1
      bins[bin].predicted += chance
      bins[bin].observed += label
      squares += (chance - label) * (chance - label)
    }
    let total = Double(max(1, pairs.count))
    var error = 0.0
    for index in bins.indices where bins[index].count > 0 {
      let count = Double(bins[index].count)
      bins[index].predicted /= count
      bins[index].observed /= count
      error += count / total * abs(bins[index].observed - bins[index].predicted)
    }
    self.bins = bins
    calibrationError = error
    brier = squares / total
    area = Self.area(pairs)
  }

  private static func area(_ pairs: [(chance: Double, label: Double)]) -> Double {
    let ordered = pairs.sorted { $0.chance < $1.chance }
    var (below, sum, positives) = (0.0, 0.0, 0.0)
    var index = 0
    while index < ordered.count {
      // Equal chances count half.
      var (ties, negatives) = (0.0, 0.0)
      let chance = ordered[index].chance
      while index < ordered.count, ordered[index].chance == chance {
        ties += ordered[index].label
        negatives += 1 - ordered[index].label
        index += 1
      }
      sum += ties * (below + negatives / 2)
      below += negatives
      positives += ties
    }
    return positives > 0 && below > 0 ? sum / (positives * below) : 0.5
  }
}

/// `reliability.csv`, `.png` and `.svg`: what was predicted against what happened.
struct ReliabilityPicture {
  let folder: String
  let greedy: Reliability
  let sampled: Reliability

  func write() throws {
    var table = "answer,predicted,observed,count\n"
    for (name, reliability) in [("greedy", greedy), ("sampled", sampled)] {
      for bin in reliability.bins where bin.count > 0 {
        table += "\(name),\(bin.predicted),\(bin.observed),\(bin.count)\n"
      }
    }
    try AtomicFile.write(Data(table.utf8), to: "\(folder)/reliability.csv")
    _ = GnuplotPicture(
      folder: folder, name: "reliability",
      settings: """
        set title 'Acceptance: predicted and observed'
        set xlabel 'predicted'
        set ylabel 'observed'
        set xrange [0:1]
        set yrange [0:1]
        set key bottom right
        """,
      plot: """
        x with lines dt 2 lc rgb '#999999' title 'perfect', \\
        'reliability.csv' using (strcol(1) eq 'greedy' ? column(2) : NaN):3 with linespoints pt 7 \
        lc rgb '#1f4e9c' title 'greedy', \\
        '' using (strcol(1) eq 'sampled' ? column(2) : NaN):3 with linespoints pt 5 \
        lc rgb '#c0392b' title 'sampled'
        """
    ).draw()
  }
}
