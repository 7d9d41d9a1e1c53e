import Drafters
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
  public var drafterMemory: DrafterMemory

  public init(
    promptForm: PromptForm, maxTokens: Int = 256, sampling: SamplingParameters = .greedy,
    drafterMemory: DrafterMemory = .repetition
  ) {
    self.promptForm = promptForm
    self.maxTokens = maxTokens
    self.sampling = sampling
    self.drafterMemory = drafterMemory
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

  /// The same with drafters who have learned nothing; see `DrafterChoice.fresh()`.
  func fresh() -> BenchmarkConfiguration {
    BenchmarkConfiguration(name: name, drafter: drafter.fresh(), draftLength: draftLength)
  }

  /// The options of one answer: the one place where a configuration becomes a generation.
  func options(_ settings: BenchmarkSettings, repetition: Int = 0) -> GenerationOptions {
    var sampling = settings.sampling
    sampling.seed = sampling.seed.map { $0 &+ UInt64(repetition) }
    return GenerationOptions(
      drafter: drafter, draftLength: draftLength, sampling: sampling,
      maxTokens: settings.maxTokens)
  }
}

/// Drafters as commands and experiments name them: registry names divided by commas, a trained one
/// with `=FOLDER` behind it (`suffix,eagle=large`; several of a kind are chosen from by language), a
/// draft model with that of its vocabularies by language, affine-tree with `=FILE`; `adapt=FILE` among
/// them lets a tiny-lm learn while it drafts.
public struct NamedDrafter: Sendable {
  /// Without the paths.
  public let names: String
  /// Of trained drafters, by name, where they are given.
  public let folders: [(name: String, path: String)]
  /// What a tiny language model learns goes there (`adapt=FILE`), where it is to learn.
  public let adaptation: String?
  /// Of a draft model's vocabularies by language, where they are given.
  public let vocabularies: String?
  /// The settings of affine-tree, where they are given.
  public let treeFile: String?

  private static let tree = "affine-tree"
  private static let adapt = "adapt"
  private static let draftModels = ["draft-model", "cross-vocabulary"]

  public init(_ text: String) {
    var names: [String] = []
    var paths: [(name: String, path: String)] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let parts = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        .map(String.init)
      if parts.count == 1 {
        names.append(parts[0])
      } else {
        // Another folder of the same kind is one more to choose from.
        if parts[0] != Self.adapt, !names.contains(parts[0]) { names.append(parts[0]) }
        paths.append((parts[0], parts[1]))
      }
    }
    self.names = names.joined(separator: ",")
    let others = [Self.tree, Self.adapt] + Self.draftModels
    folders = paths.filter { !others.contains($0.name) }
    adaptation = paths.first { $0.name == Self.adapt }?.path
    vocabularies = paths.first { Self.draftModels.contains($0.name) }?.path
    treeFile = paths.first { $0.name == Self.tree }?.path
  }

  public var hasAffineTree: Bool { names.split(separator: ",").contains { $0 == Self.tree } }

  /// - Throws: what is wrong with the settings of an affine tree.
  public func choice(draftModel: Model?) throws -> DrafterChoice {
    try choice(from: DrafterChoice(named: "none", draftModel: draftModel))
  }

  /// These drafters with what another choice drafts with, but for what is named here.
  /// - Throws: what is wrong with the settings of an affine tree.
  public func choice(from base: DrafterChoice) throws -> DrafterChoice {
    var choice = base
    choice.names = names.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    if let treeFile { choice.affineTree = try AffineTreeConfiguration(path: treeFile) }
    if !folders.isEmpty { choice.trainedFolders = folders.map(\.path) }
    if let adaptation { choice.settings.adaptation = try HeadAdaptation(path: adaptation) }
    if let vocabularies, let draftModel = base.draftModel {
      choice.settings.draftVocabularies = try DraftVocabularies(
        folder: vocabularies, vocabularySize: draftModel.transformer.vocabularySize)
    }
    return choice
  }
}
