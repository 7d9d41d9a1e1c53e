import Nunchi

/// How a question is put to the model.
public enum PromptForm: String, Sendable, Codable {
  /// As messages, written as the model's chat template says.
  case chat
  /// As a text that the model continues.
  case text

  /// Chat for a model that has a template.
  public init(for model: Model) {
    self = model.tokenizer.chatTemplate == nil ? .text : .chat
  }

  /// The prompt of a question's next turn.
  /// - Parameters:
  ///   - turns: what the user has said, the new turn included.
  ///   - answers: the answers to all turns but the last.
  func prompt(turns: ArraySlice<String>, answers: [String], model: Model) throws -> [Int32] {
    var messages: [ChatMessage] = []
    var text = ""
    for (index, turn) in turns.enumerated() {
      messages.append(ChatMessage(role: "user", content: turn))
      text += turn
      if index < answers.count {
        messages.append(ChatMessage(role: "assistant", content: answers[index]))
        text += answers[index] + "\n\n"
      }
    }
    switch self {
    case .chat: return try model.tokens(of: messages)
    case .text: return model.tokens(of: text)
    }
  }
}

/// What all configurations of a benchmark have in common.
public struct BenchmarkSettings: Sendable {
  public var promptForm: PromptForm
  /// The most tokens of an answer.
  public var maxTokens: Int
  public var sampling: SamplingParameters

  public init(
    promptForm: PromptForm, maxTokens: Int = 256, sampling: SamplingParameters = .greedy
  ) {
    self.promptForm = promptForm
    self.maxTokens = maxTokens
    self.sampling = sampling
  }
}

/// One way of decoding that is compared with the others.
public struct BenchmarkConfiguration: Sendable {
  public var name: String
  public var drafter: DrafterChoice
  /// A fixed draft length; nil leaves it to the controller.
  public var draftLength: Int?

  public init(name: String, drafter: DrafterChoice, draftLength: Int? = nil) {
    self.name = name
    self.drafter = drafter
    self.draftLength = draftLength
  }

  /// Plain decoding, which all others are measured against.
  public static let plain = BenchmarkConfiguration(name: "plain", drafter: .none)

  /// The options of one answer: the one place where a configuration becomes a generation.
  func options(_ settings: BenchmarkSettings, repetition: Int = 0) -> GenerationOptions {
    var sampling = settings.sampling
    sampling.seed = sampling.seed.map { $0 &+ UInt64(repetition) }
    return GenerationOptions(
      drafter: drafter, draftLength: draftLength, sampling: sampling,
      maxTokens: settings.maxTokens)
  }
}
