import Drafters
import Foundation
import LanguageModels
import Speculation

/// Measures a drafter as it will be used: it drafts for the target on held-out prompts.
public struct AcceptanceProbe: Sendable {
  public var prompts: [[Int32]]
  /// Tokens of one draft at most.
  public var draftLength: Int
  /// Nodes of one draft at most.
  public var draftNodes: Int
  /// Tokens of one answer at most.
  public var answerTokens: Int
  /// Tokens that end an answer.
  public var stopTokens: Set<Int32>

  public init(
    prompts: [[Int32]], draftLength: Int = 4, draftNodes: Int = 4, answerTokens: Int = 96,
    stopTokens: Set<Int32> = []
  ) {
    self.prompts = prompts
    self.draftLength = draftLength
    self.draftNodes = draftNodes
    self.answerTokens = answerTokens
    self.stopTokens = stopTokens
  }

  /// Prompts of held-out documents: what stands before the target's first own token.
  /// - Parameters:
  ///   - count: how many; they are taken from all over the documents.
  ///   - longest: the most tokens of a prompt.
  public static func prompts(
    of source: any StateSource, count: Int, longest: Int = 512
  ) throws -> [[Int32]] {
    var prompts: [[Int32]] = []
    var index = 0
    while let batch = try source.batch(inOrder: index, rows: 4096) {
      for segment in batch.segments {
        guard let answer = batch.answer[segment].firstIndex(of: 1) else { continue }
        // A text that is all the target's own begins with its first tokens.
        let end = answer > segment.lowerBound ? answer : segment.lowerBound + 16
        guard end <= segment.upperBound, end - segment.lowerBound <= longest else { continue }
        prompts.append(Array(batch.tokens[segment.lowerBound..<end]))
      }
      index += 1
    }
    guard count < prompts.count else { return prompts }
    return (0..<count).map { prompts[$0 * prompts.count / count] }
  }

  /// Decodes greedily with a drafter and a fixed draft length.
  /// - Parameter folder: the exported drafter.
  public func measure(folder: String, target: TransformerModel) throws -> SpeculationStatistics {
    let capacity = (prompts.map(\.count).max() ?? 0) + answerTokens + draftNodes + 1
    let trained = try TrainedDrafter.load(folder: folder, target: target)
    var settings = DrafterSettings(
      length: draftLength, capacity: min(capacity, target.contextLength))
    settings.target = target
    settings.trained = [trained]
    let generator = try SpeculativeGenerator(target: target, capacity: settings.capacity)
    let drafter = try DrafterRegistry.make(trained.method, settings)
    var statistics = SpeculationStatistics([])
    for prompt in prompts {
      try generator.begin(
        prompt: prompt,
        setup: GenerationSetup(
          drafter: drafter, draftLength: .fixed(draftLength), draftNodes: draftNodes,
          limits: GenerationLimits(maxTokens: answerTokens, stopTokens: stopTokens)))
      while try generator.next() != nil {}
      statistics.merge(SpeculationStatistics(generator.traces))
    }
    return statistics
  }

  /// The acceptance length of a drafter that is yet to be exported.
  func acceptanceLength(
    target: TransformerModel, export: (_ folder: String) throws -> Void
  ) throws -> Double {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("nunchi-probe-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try export(folder.path)
    return try measure(folder: folder.path, target: target).acceptanceLength
  }
}
