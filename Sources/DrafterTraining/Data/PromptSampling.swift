import Foundation
import LanguageModels
import ModelFiles
import Nunchi
import Sampling
import Tokenization

/// Draws prompts from a model itself: given its chat template up to where the user's words begin,
/// it writes them (Magpie, arXiv 2406.08464).
public struct PromptSampling: Sendable {
  /// How many prompts are wanted.
  public var count: Int
  /// What the model is told before; one of them for each prompt, in turns. nil says nothing.
  public var systems: [String?] = [nil]
  public var temperature = 1.0
  public var topP = 0.98
  /// The most tokens of a prompt; a longer one is dropped.
  public var maxTokens = 256
  public var seed: UInt64 = 0
  /// Prompts that are written together.
  public var batch = 16

  /// Characters of the shortest prompt.
  static let leastLength = 8
  /// Attempts in a row that may bring nothing before the model is given up.
  static let mostFailures = 1000

  public init(count: Int) {
    self.count = count
  }

  /// A line of the output.
  private struct Line: Codable {
    var id: String
    var prompt: String
    var category = "magpie"
    var model: String
    var temperature: Double
    var seed: UInt64
    /// What steered the model; not a part of the conversation.
    var steering: String?
  }

  private struct Attempt {
    var number: Int
    var seed: UInt64
  }

  /// Appends prompts to a file until it has `count`. A file that is there already is gone on with.
  /// - Parameter report: told the progress after each attempt.
  /// - Throws: `NunchiError.noChatTemplate` for a model that was not trained to chat,
  ///   `TrainingError`, or `CancellationError`.
  public func run(
    on model: Model, output path: String, isCancelled: @escaping () -> Bool = { false },
    report: (DataProgress) -> Void = { _ in }
  ) throws -> DataProgress {
    let openings = try systems.map { try Self.opening(of: model, system: $0) }
    guard let longest = openings.map(\.count).max() else {
      throw TrainingError.setting(name: "systems", expected: "at least one", found: "none")
    }
    let writer = try LineWriter(path: path)
    var progress = DataProgress(total: count, replacesSkipped: true)
    var known: Set<UInt64> = []
    var attempt = 0
    if !writer.isEmpty {
      let decoder = JSONDecoder()
      for line in try TextRecords(path: path) {
        let prompt = try line.decoded(Line.self, by: decoder)
        known.insert(Self.normalized(prompt.prompt))
        attempt = max(attempt, (prompt.id.split(separator: "-").last.flatMap { Int($0) } ?? 0) + 1)
        progress.resumed += 1
      }
    }
    let start = ContinuousClock.now
    var failures = 0
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let decoder = try BatchDecoder(
      model: model, batch: min(batch, max(1, count)), contextLength: longest + maxTokens,
      isCancelled: isCancelled)
    try decoder.run(
      next: {
        guard progress.resumed + progress.written < count else { return nil }
        defer { attempt += 1 }
        var random = SeededRandom(seed: seed ^ stableHash("\(attempt)".utf8))
        let seed = random.next() >> 11
        let request = BatchDecoder.Request(
          prompt: openings[attempt % openings.count],
          sampling: try SamplingParameters(temperature: temperature, topP: topP, seed: seed),
          maxTokens: maxTokens)
        return (Attempt(number: attempt, seed: seed), request)
      },
      finished: { (work: Attempt, sequence) in
        progress.tokens += sequence.output.count
        progress.seconds = (ContinuousClock.now - start) / .seconds(1)
        guard progress.resumed + progress.written < count else { return nil }
        let text = model.tokenizer.decode(sequence.output)
          .trimmingCharacters(in: .whitespacesAndNewlines)
        if let reason = Self.flaw(of: text, sequence)
          ?? (known.insert(Self.normalized(text)).inserted ? nil : "the same words as another")
        {
          progress.skipped[reason, default: 0] += 1
          failures += 1
          guard failures < Self.mostFailures else {
            throw TrainingError.setting(
              name: "prompts of \(model.name)", expected: "usable ones",
              found: "none in \(failures) attempts, the last of them for: \(reason)")
          }
        } else {
          failures = 0
          try writer.append(
            try encoder.encode(
              Line(
                id: "magpie-\(self.seed)-\(work.number)", prompt: text, model: model.name,
                temperature: temperature, seed: work.seed,
                steering: systems[work.number % systems.count])))
          progress.written += 1
        }
        report(progress)
        return nil
      })
    return progress
  }

  /// The tokens that a user's message follows.
  /// - Throws: `NunchiError.noChatTemplate`, or `TrainingError.setting` for a template that does
  ///   not show the message.
  static func opening(of model: Model, system: String?) throws -> [Int32] {
    let mark = "@@MESSAGE@@"
    let messages =
      (system.map { [ChatMessage(role: "system", content: $0)] } ?? [])
      + [ChatMessage(role: "user", content: mark)]
    let text = model.tokenizer.decode(try model.tokens(of: messages), skipSpecial: false)
    guard let place = text.range(of: mark), place.lowerBound > text.startIndex else {
      throw TrainingError.setting(
        name: "chat template of \(model.name)", expected: "one that shows the user's message",
        found: text)
    }
    return model.tokenizer.encode(String(text[..<place.lowerBound]), addSpecial: false)
  }

  /// Why a message is no prompt.
  private static func flaw(of text: String, _ sequence: BatchDecoder.Sequence) -> String? {
    if sequence.finish != .stop { return "too long" }
    if text.count < leastLength { return "too short" }
    return loops(sequence.output) ? "running in circles" : nil
  }

  /// Whether much of a text repeats: of its runs of four tokens fewer than six in ten are new.
  static func loops(_ tokens: [Int32]) -> Bool {
    guard tokens.count >= 24 else { return false }
    let runs = (0...tokens.count - 4).map { Array(tokens[$0..<$0 + 4]) }
    return Set(runs).count * 10 < runs.count * 6
  }

  /// Equal for texts that differ in case, spaces or punctuation only.
  private static func normalized(_ text: String) -> UInt64 {
    stableHash(String(text.lowercased().filter { $0.isLetter || $0.isNumber }).utf8)
  }
}
