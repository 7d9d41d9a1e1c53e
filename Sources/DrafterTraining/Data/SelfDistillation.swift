import Foundation
import Sampling

/// How a target is asked for its own answers, which its drafters are trained on.
public struct SelfDistillation: Sendable {
  /// Each prompt is answered at each of these, or at one of them.
  public var temperatures: [Double] = [0, 0.3, 0.7, 1]
  /// Whether each prompt is answered once, at a temperature drawn by the seed.
  public var drawsTemperature = false
  public var topP = 1.0
  /// The most tokens of an answer.
  public var maxTokens = 512
  /// The most turns of a conversation.
  public var maxTurns = 2
  /// What the model is told before conversations whose prompts say nothing themselves.
  public var system: String?
  public var seed: UInt64 = 0
  /// Conversations that are answered together.
  public var batch = 16
  /// The most tokens of a conversation.
  public var contextLength = 2048

  public init() {}

  /// - Throws: `TrainingError.setting` or `SamplingError` for what is out of range.
  public func validate() throws {
    func check(_ valid: Bool, _ name: String, _ expected: String, _ found: some Any) throws {
      guard valid else {
        throw TrainingError.setting(name: name, expected: expected, found: "\(found)")
      }
    }
    try check(!temperatures.isEmpty, "temperatures", "at least one", "none")
    try check(
      Set(temperatures).count == temperatures.count, "temperatures", "each once", temperatures)
    for temperature in temperatures {
      _ = try SamplingParameters(temperature: temperature, topP: topP)
    }
    try check(maxTokens >= 1, "max tokens", "1 or more", maxTokens)
    try check(maxTurns >= 1, "turns", "1 or more", maxTurns)
    try check(batch >= 1, "batch", "1 or more", batch)
    try check(
      contextLength > maxTokens, "context", "more than the \(maxTokens) tokens of an answer",
      contextLength)
  }

  /// A conversation to come.
  struct Job: Sendable {
    var prompt: Prompt
    /// Of the conversation: the prompt's with the temperature.
    var id: String
    var temperature: Double
    var seed: UInt64
  }

  /// All conversations, in the order of the prompts. What each has depends on the seed and its
  /// prompt's id, not on the others.
  func jobs(_ prompts: [Prompt]) -> [Job] {
    prompts.flatMap { prompt in
      var prompt = prompt
      prompt.system = prompt.system ?? system
      prompt.turns = Array(prompt.turns.prefix(maxTurns))
      var draw = SeededRandom(seed: seed ^ stableHash(prompt.id.utf8))
      let drawn = [temperatures[Int(draw.next() % UInt64(temperatures.count))]]
      return (drawsTemperature ? drawn : temperatures).map { temperature in
        let whole = Int(exactly: temperature).map { "\($0)" }
        let id = "\(prompt.id)@\(whole ?? "\(temperature)")"
        var random = SeededRandom(seed: seed ^ stableHash(id.utf8))
        // 53 bits: every reader of JSON keeps them.
        return Job(prompt: prompt, id: id, temperature: temperature, seed: random.next() >> 11)
      }
    }
  }

  /// What stands before the first answer.
  func opening(_ job: Job) -> [Conversation.Turn] {
    (job.prompt.system.map { [Conversation.Turn(.system, $0)] } ?? [])
      + [Conversation.Turn(.human, job.prompt.turns[0])]
  }

  /// A job's conversation as it will be written.
  func conversation(_ job: Job, turns: [Conversation.Turn], model: String) -> Conversation {
    var conversation = Conversation(id: job.id, turns: turns)
    conversation.model = model
    conversation.temperature = job.temperature
    conversation.topP = topP == 1 ? nil : topP
    conversation.seed = job.seed
    conversation.language = job.prompt.language
    conversation.category = job.prompt.category
    return conversation
  }
}

/// How far a generation of data is, and what became of what was asked for.
public struct DataProgress: Sendable, Equatable {
  /// What is asked for in all.
  public var total: Int
  /// Written in earlier runs.
  public var resumed = 0
  /// Written in this run.
  public var written = 0
  /// Left out, by the reason.
  public var skipped: [String: Int] = [:]
  /// Left out in earlier runs.
  public var resumedSkipped = 0
  /// Tokens generated in this run, also of what was left out.
  public var tokens = 0
  /// Since this run began.
  public var seconds = 0.0
  /// Whether others take the place of what is left out, until `total` are written.
  public let replacesSkipped: Bool

  public init(total: Int, replacesSkipped: Bool = false) {
    self.total = total
    self.replacesSkipped = replacesSkipped
  }

  public var skippedCount: Int { skipped.values.reduce(0, +) }
  /// Of all that is asked for.
  public var done: Int { resumed + (replacesSkipped ? 0 : resumedSkipped) + finished }
  public var tokensPerSecond: Double { seconds > 0 ? Double(tokens) / seconds : 0 }
  /// By the pace of this run; nil before anything is finished.
  public var secondsLeft: Double? {
    finished > 0 ? seconds * Double(total - done) / Double(finished) : nil
  }
  private var finished: Int { written + (replacesSkipped ? 0 : skippedCount) }
}
