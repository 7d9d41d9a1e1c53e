import ArgumentParser
import DrafterTraining
import Foundation

/// `nunchi data`: what drafters are trained on.
struct DataCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Make the data that drafters are trained on.",
    discussion: """
      A drafter learns to say what its target says, so its training data are the target's own \
      answers. Conversations are JSON lines in the ShareGPT form, with the tokens that were \
      generated.

      Everything here goes on where it ended: after Control-C, a kill or a full disk, give the \
      same command again.
      """,
    subcommands: [
      DataCorpusCommand.self, DataTextPromptsCommand.self, DataPromptsCommand.self,
      DataSelfDistilCommand.self, DataMergeCommand.self, DataHiddenStatesCommand.self,
      DataVocabularyCommand.self,
    ])
}

/// Numbers divided by commas, such as `0,0.7,1`.
struct DecimalList: ExpressibleByArgument, CustomStringConvertible {
  var values: [Double]

  init(_ values: [Double]) {
    self.values = values
  }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    values = parts.compactMap { Double($0) }
    if values.count != parts.count { return nil }
  }

  var description: String {
    values.map { $0 == $0.rounded() ? "\(Int($0))" : "\($0)" }.joined(separator: ",")
  }
  var defaultValueDescription: String { description }
}

/// Layers of a target: numbers, or `low`, `mid` and `high`, divided by commas.
struct LayerList: ExpressibleByArgument {
  private var names: [String]

  init?(argument: String) {
    names = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let isSound = names.allSatisfy { name in
      ["low", "mid", "high"].contains(name) || Int(name).map { $0 >= 0 } ?? false
    }
    if !isSound { return nil }
  }

  /// The layers of a model with so many of them. The names stand for what EAGLE-3's published
  /// checkpoints (arXiv 2503.01840) read: layers 2, n / 2 and n - 3.
  func layers(of layerCount: Int) throws -> [Int] {
    let layers = names.map { name in
      switch name {
      case "low": min(2, layerCount)
      case "mid": layerCount / 2
      case "high": max(0, layerCount - 3)
      default: Int(name) ?? 0
      }
    }
    if let layer = layers.first(where: { $0 > layerCount }) {
      throw ValidationError("--layers: expected 0 to \(layerCount), found \(layer)")
    }
    return Array(Set(layers)).sorted()
  }
}

/// The progress of long work, on standard error: a bar on a terminal, else a line a minute.
final class WorkProgress {
  private let bar: ProgressBar
  private let label: String
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var last = ContinuousClock.now

  init(label: String) {
    self.label = label
    bar = ProgressBar(label: label)
  }

  /// - Parameter share: how much is done, from 0 to 1.
  func update(share: Double, _ text: String) {
    if isTerminal { return bar.update(share: share, saying: text) }
    guard ContinuousClock.now - last > .seconds(60) else { return }
    last = .now
    writeError("\(label): \(Int(share * 100)) % \(text)")
  }

  func update(_ progress: DataProgress, unit: String) {
    var text =
      "\(formatCount(progress.done)) of \(formatCount(progress.total)) \(unit), "
      + "\(formatDecimal(progress.tokensPerSecond, places: 0)) tokens/s"
    if let left = progress.secondsLeft { text += ", \(formatDuration(left)) left" }
    update(share: Double(progress.done) / Double(max(1, progress.total)), text)
  }

  func clear() { bar.clear() }
}

/// Seconds for people: `42 s`, `7 min`, `3 h 20 min`.
func formatDuration(_ seconds: Double) -> String {
  guard seconds.isFinite, seconds < 1e9 else { return "a long time" }
  let whole = Int(seconds.rounded(.up))
  if whole < 100 { return "\(whole) s" }
  if whole < 6000 { return "\((whole + 30) / 60) min" }
  return "\(whole / 3600) h \(whole % 3600 / 60) min"
}

/// What a generation of data came to.
func writeSummary(_ progress: DataProgress, unit: String, to path: String) {
  var rows = [
    [
      "written",
      "\(formatCount(progress.written)) \(unit) to \(path)"
        + (progress.resumed > 0 ? ", after \(formatCount(progress.resumed)) of earlier runs" : ""),
    ],
    [
      "generated",
      "\(formatCount(progress.tokens)) tokens in \(formatDuration(progress.seconds)), "
        + "\(formatDecimal(progress.tokensPerSecond, places: 1)) tokens/s",
    ],
  ]
  for (reason, count) in progress.skipped.sorted(by: { $0.key < $1.key }) {
    rows.append(["left out", "\(formatCount(count)): \(reason)"])
  }
  if progress.resumedSkipped > 0 {
    rows.append(["left out", "\(formatCount(progress.resumedSkipped)) in earlier runs"])
  }
  writeTable(rows)
}
