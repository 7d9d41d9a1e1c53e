import LanguageModels
import Nunchi
import Sampling
import Speculation

/// Decodes many sequences of one model together, in one pass a step. As soon as one ends, the next
/// takes its place, so that passes stay full. Each sequence has the tokens that it has alone.
final class BatchDecoder {
  /// What a sequence begins with, and how it goes on.
  struct Request {
    var prompt: [Int32]
    var sampling: SamplingParameters
    var maxTokens: Int
  }

  /// A sequence that has ended.
  struct Sequence {
    /// What was generated, with the token that ended it.
    var output: [Int32]
    var finish: FinishReason
    /// Of all tokens, final ones first, then those of the layers; none where nothing is recorded.
    var states: () throws -> [[UInt16]]
  }

  let model: Model
  private let slots: [Slot]
  private let stopTokens: Set<Int32>

  private struct Slot {
    let generator: SpeculativeGenerator<TransformerModel>
    let recorder: StateRecorder?
  }

  /// - Parameters:
  ///   - batch: how many sequences decode together.
  ///   - contextLength: the most tokens of a sequence.
  ///   - layers: whose states are recorded, beside the final ones; nil records nothing.
  ///   - isCancelled: asked before each pass.
  /// - Throws: `TrainingError.setting`, or `LanguageModelError` when memory is short.
  init(
    model: Model, batch: Int, contextLength: Int, recording layers: [Int]? = nil,
    isCancelled: @escaping () -> Bool
  ) throws {
    guard (1...TransformerModel.chunkRows).contains(batch) else {
      throw TrainingError.setting(
        name: "batch", expected: "1 to \(TransformerModel.chunkRows) sequences", found: "\(batch)")
    }
    self.model = model
    stopTokens = model.tokenizer.endOfGeneration
    slots = try (0..<batch).map { _ in
      let generator = try SpeculativeGenerator(
        target: model.transformer,
        capacity: min(contextLength, model.transformer.contextLength))
      generator.isCancelled = isCancelled
      return Slot(
        generator: generator,
        recorder: layers.map {
          StateRecorder(layers: $0, hiddenSize: model.transformer.hiddenSize)
        })
    }
  }

  /// Decodes until there is nothing more to decode.
  /// - Parameters:
  ///   - next: the next sequence; nil when there are no more.
  ///   - finished: is given each sequence that has ended, and may say how it goes on: a longer
  ///     prompt that begins with it costs only what is new.
  func run<Work>(
    next: () throws -> (work: Work, request: Request)?,
    finished: (Work, Sequence) throws -> (work: Work, request: Request)?
  ) throws {
    var works = [Work?](repeating: nil, count: slots.count)
    var isExhausted = false
    while true {
      for index in slots.indices where works[index] == nil && !isExhausted {
        guard let (work, request) = try next() else {
          isExhausted = true
          break
        }
        try begin(request, in: slots[index])
        works[index] = work
      }
      let active = slots.indices.filter { works[$0] != nil }
      if active.isEmpty { return }
      _ = try SpeculativeGenerator.next(active.map { slots[$0].generator })
      for index in active {
        let slot = slots[index]
        guard let work = works[index], let finish = slot.generator.finishReason else { continue }
        let sequence = Sequence(output: Array(slot.generator.output), finish: finish) {
          try self.states(of: slot)
        }
        works[index] = nil
        if let (work, request) = try finished(work, sequence) {
          try begin(request, in: slot)
          works[index] = work
        }
      }
    }
  }

  private func begin(_ request: Request, in slot: Slot) throws {
    try slot.generator.begin(
      prompt: request.prompt,
      setup: GenerationSetup(
        drafter: slot.recorder, draftLength: .fixed(0), sampling: request.sampling,
        limits: GenerationLimits(maxTokens: request.maxTokens, stopTokens: stopTokens)))
  }

  /// The recorded states. The last token's, which no step needed, is computed for it.
  private func states(of slot: Slot) throws -> [[UInt16]] {
    guard let recorder = slot.recorder else { return [] }
    let (tokens, cache) = (slot.generator.tokens, slot.generator.cache)
    if let last = tokens.last, recorder.rowCount == tokens.count - 1, cache.count < cache.capacity {
      let output = try model.transformer.forward(
        chain: [last], cache: cache, logits: .none, observing: recorder.observing)
      cache.commit(path: [0])
      recorder.append(output, rows: [0])
    }
    return recorder.states
  }
}
