import LanguageModels
import Nunchi
import Speculation

/// The measurements of `nunchi bench speed` on one model and thread count.
struct SpeedBenchmark {
  let model: TransformerModel
  let name: String
  let command: BenchCommand.Speed

  init(model: Model, command: BenchCommand.Speed) {
    self.model = model.transformer
    name = model.name
    self.command = command
  }

  func run() throws -> SpeedReport.Run {
    let bar = ProgressBar(label: "\(name), \(model.pool.threads) threads")
    defer { bar.clear() }
    bar.say("the machine's limits")
    let bandwidth = model.pool.measureReadBandwidth()
    let peak = model.pool.measureInt8Peak()

    let mostRows = command.verify.values.max() ?? 1
    let capacity = max(
      command.prompt, command.depth + command.generate, command.context + mostRows)
    let cache = try model.makeCache(capacity: capacity)
    _ = try generation(cache, tokens: 2)  // first touch of all memory
    var promptSpeeds: [Double] = []
    var generationSpeeds: [Double] = []
    for round in 1...command.rounds {
      bar.say("prompt and generation, round \(round) of \(command.rounds)")
      promptSpeeds.append(try prompt(cache))
      generationSpeeds.append(try generation(cache, tokens: command.generate))
    }
    bar.say("verification")
    let points = try verification(cache)
    let (promptSpeed, generationSpeed) = (median(promptSpeeds), median(generationSpeeds))
    return SpeedReport.Run(
      threads: model.pool.threads, promptTokensPerSecond: promptSpeed,
      generationTokensPerSecond: generationSpeed, memoryBandwidth: bandwidth,
      memoryBandwidthShare: generationSpeed * Double(model.weightBytesPerPass) / bandwidth,
      int8Peak: peak,
      int8PeakShare: promptSpeed * Double(model.layerParameterCount) / peak,
      verify: points)
  }

  /// Tokens a second of one pass over random tokens.
  private func prompt(_ cache: TransformerCache) throws -> Double {
    cache.truncate(to: 0)
    let tokens = randomTokens(command.prompt)
    var watch = Stopwatch()
    _ = try model.forward(chain: tokens, cache: cache, logits: .last)
    return Double(tokens.count) / watch.lap()
  }

  /// Tokens a second, one after another.
  private func generation(_ cache: TransformerCache, tokens count: Int) throws -> Double {
    cache.truncate(to: 0)
    if command.depth > 0 { try fill(cache, command.depth) }
    let tokens = randomTokens(count)
    var watch = Stopwatch()
    for token in tokens {
      _ = try model.forward(chain: [token], cache: cache)
      cache.commit(path: [0])
    }
    return Double(count) / watch.lap()
  }

  /// The cost of each number of rows. They take turns, so that a drift of the machine's speed
  /// meets them all.
  private func verification(_ cache: TransformerCache) throws -> [SpeedReport.Point] {
    cache.truncate(to: 0)
    if command.context > 0 { try fill(cache, command.context) }
    let counts = Array(Set(command.verify.values + [1])).sorted()
    var times = [[Double]](repeating: [], count: counts.count)
    for _ in 0..<command.rounds * 5 {
      for (index, rows) in counts.enumerated() {
        let tokens = randomTokens(rows)
        var watch = Stopwatch()
        _ = try model.forward(chain: tokens, cache: cache)
        times[index].append(watch.lap())
        cache.truncate(to: command.context)
      }
    }
    let one = median(times[0])
    return zip(counts, times).filter { command.verify.values.contains($0.0) }.map {
      SpeedReport.Point(
        rows: $0, milliseconds: median($1) * 1000, ratio: median($1) / one)
    }
  }

  private func fill(_ cache: TransformerCache, _ count: Int) throws {
    _ = try model.forward(chain: randomTokens(count), cache: cache, logits: .none)
    cache.commit(path: Array(0..<count))
  }

  /// Some tokens of the vocabulary; which ones does not matter to the time.
  private func randomTokens(_ count: Int) -> [Int32] {
    var state: UInt64 = 88_172_645_463_325_252
    return (0..<count).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int32(state % UInt64(model.vocabularySize))
    }
  }
}

/// The middle value; of an even number of them the lower one.
func median(_ values: [Double]) -> Double { values.sorted()[(values.count - 1) / 2] }
