import Drafters
import Foundation

/// The n-grams of a language's texts with their probabilities: interpolated Kneser-Ney smoothing
/// with three discounts (Chen and Goodman, 1999).
///
/// All n-grams are runs of neighbours in one suffix array, so that counting them is walking along
/// it, once for each length.
struct NGramCounts {
  /// What may follow the contexts of one length.
  struct Level {
    /// Where the successors of each context begin; one more at the end.
    var starts: [Int32] = [0]
    var keys: [UInt64] = []
    var tokens: [Int32] = []
    var probabilities: [Float] = []
  }

  /// Of contexts of 1, 2, … tokens, each in the order of its keys.
  let levels: [Level]

  /// Runs of ranks whose suffixes begin with the same n tokens.
  private struct Grams {
    /// The first rank of each run, and at the end one past the last.
    var firsts: [Int32] = []
    /// Of each rank its run; -1 where the document ends before n tokens.
    var runs: [Int32]
    /// What counts of each: how often it stands in the text, or behind how many different tokens, of
    /// which each beginning of a document is one.
    var counts: [Int32] = []
    var probabilities: [Float] = []
    /// Where the successors kept of each begin in `tokens` and `scores`; one more at the end.
    var starts: [Int32] = [0]
    var tokens: [Int32] = []
    var scores: [Float] = []
    /// How often something follows.
    var continued: [Int32] = []
  }

  /// - Parameters:
  ///   - documents: their tokens, all in the vocabulary; nothing is counted across their ends.
  init(_ documents: [[Int32]], vocabularySize: Int, _ configuration: NGramConfiguration) {
    var text: [UInt32] = []
    text.reserveCapacity(documents.reduce(1) { $0 + $1.count + 1 })
    for document in documents where !document.isEmpty {
      text += document.lazy.map { UInt32($0) }
      text.append(SuffixArray.separator)
    }
    let longest = configuration.context + 1
    let places = text.withUnsafeBufferPointer {
      SuffixArray.sorted($0, vocabularySize: vocabularySize, depth: longest)
    }
    let counter = Counter(text: text, places: places, longest: longest)
    var levels: [Level] = []
    // Of contexts one token shorter than those that get their successors.
    var shorter: Grams?
    var contexts = counter.words(vocabularySize)
    for length in 2...longest {
      let grams = counter.successors(
        of: &contexts, length: length - 1, after: shorter, configuration)
      levels.append(counter.level(contexts, length: length - 1, configuration))
      shorter = contexts
      contexts = grams
    }
    self.levels = levels
  }

  private struct Counter {
    let text: [UInt32]
    /// Where the suffix of each rank begins.
    let places: [UInt32]
    /// Of each place of the text the rank of its suffix.
    let ranks: [UInt32]
    /// How many tokens each suffix has in common with the one before it, and how many it has.
    let common: [UInt8]
    let lengths: [UInt8]
    let longest: Int

    init(text: [UInt32], places: [UInt32], longest: Int) {
      self.text = text
      self.places = places
      self.longest = longest
      var ranks = [UInt32](repeating: 0, count: text.count)
      var common = [UInt8](repeating: 0, count: places.count)
      var lengths = common
      for (rank, place) in places.enumerated() {
        ranks[Int(place)] = UInt32(rank)
        var length = 0
        while length < longest, text[Int(place) + length] != SuffixArray.separator { length += 1 }
        lengths[rank] = UInt8(length)
        guard rank > 0 else { continue }
        let before = Int(places[rank - 1])
        var same = 0
        while same < length, text[before + same] == text[Int(place) + same] { same += 1 }
        common[rank] = UInt8(same)
      }
      self.ranks = ranks
      self.common = common
      self.lengths = lengths
    }

    /// The n-grams of one length. Suffixes that end before are sorted behind the others of a run of
    /// n - 1 tokens, so they never part a run.
    func grams(_ length: Int) -> Grams {
      var grams = Grams(runs: [Int32](repeating: -1, count: places.count))
      var last = -2
      for rank in places.indices where lengths[rank] >= length {
        if last != rank - 1 || common[rank] < length { grams.firsts.append(Int32(rank)) }
        last = rank
        grams.runs[rank] = Int32(grams.firsts.count - 1)
      }
      grams.counts = [Int32](repeating: 0, count: grams.firsts.count)
      if length == longest {
        for run in grams.runs where run >= 0 { grams.counts[Int(run)] += 1 }
      } else {
        var before: [UInt32] = []
        for run in grams.firsts.indices {
          before.removeAll(keepingCapacity: true)
          var rank = Int(grams.firsts[run])
          while rank < places.count, grams.runs[rank] == run {
            let place = Int(places[rank])
            before.append(place > 0 ? text[place - 1] : SuffixArray.separator)
            rank += 1
          }
          before.sort()
          var distinct: Int32 = 0
          for index in before.indices
          where index == 0 || before[index] != before[index - 1]
            || before[index] == SuffixArray.separator
          {
            distinct += 1
          }
          grams.counts[run] = distinct
        }
      }
      return grams
    }

    /// What is taken from a count of 1, 2, and 3 or more.
    private func discounts(_ counts: [Int32]) -> [Float] {
      var seen = [Float](repeating: 0, count: 5)
      for count in counts where count <= 4 { seen[Int(count)] += 1 }
      // Few n-grams say nothing of it.
      guard seen[1...].allSatisfy({ $0 > 0 }) else { return [0, 0.6, 0.9, 1.2] }
      let base = seen[1] / (seen[1] + 2 * seen[2])
      return [0]
        + (1...3).map { count in
          let found = Float(count) - Float(count + 1) * base * seen[count + 1] / seen[count]
          return min(0.9 * Float(count), max(0.1, found))
        }
    }

    /// Single tokens with their probabilities.
    func words(_ vocabularySize: Int) -> Grams {
      var grams = grams(1)
      let discounts = discounts(grams.counts)
      func discount(_ run: Int) -> Float { discounts[min(3, Int(grams.counts[run]))] }
      let total = Float(max(1, grams.counts.reduce(0) { $0 + Int($1) }))
      let spared = grams.counts.indices.reduce(Float(0)) { $0 + discount($1) } / total
      grams.probabilities = grams.counts.indices.map {
        (Float(grams.counts[$0]) - discount($0)) / total + spared / Float(vocabularySize)
      }
      return grams
    }

    /// Gives contexts their successors.
    /// - Parameters:
    ///   - length: tokens of a context.
    ///   - shorter: contexts of one token less, with theirs.
    /// - Returns: the contexts of one token more, with their probabilities.
    func successors(
      of contexts: inout Grams, length: Int, after shorter: Grams?,
      _ configuration: NGramConfiguration
    ) -> Grams {
      var grams = grams(length + 1)
      let discounts = discounts(grams.counts)
      func discount(_ run: Int) -> Float { discounts[min(3, Int(grams.counts[run]))] }
      grams.probabilities = [Float](repeating: 0, count: grams.counts.count)
      contexts.continued = [Int32](repeating: 0, count: contexts.firsts.count)
      var run = 0
      var successors: [(token: Int32, score: Float)] = []
      for context in contexts.firsts.indices {
        let start = run
        var (total, spared): (Float, Float) = (0, 0)
        while run < grams.firsts.count, contexts.runs[Int(grams.firsts[run])] == context {
          total += Float(grams.counts[run])
          spared += discount(run)
          run += 1
        }
        let rest = total > 0 ? spared / total : 1
        successors.removeAll(keepingCapacity: true)
        for child in start..<run {
          let rank = Int(grams.firsts[child])
          let place = Int(places[rank])
          // All but the first token are an n-gram of their own.
          let tail = Int(contexts.runs[Int(ranks[place + 1])])
          grams.probabilities[child] =
            (Float(grams.counts[child]) - discount(child)) / total
            + rest * contexts.probabilities[tail]
          successors.append((Int32(text[place + length]), grams.probabilities[child]))
          let end = child + 1 < grams.firsts.count ? Int(grams.firsts[child + 1]) : places.count
          contexts.continued[context] += Int32((rank..<end).count { grams.runs[$0] == child })
        }
        if let shorter {
          let place = Int(places[Int(contexts.firsts[context])])
          let tail = Int(shorter.runs[Int(ranks[place + 1])])
          let seen = successors.count
          for known in Int(shorter.starts[tail])..<Int(shorter.starts[tail + 1])
          where !successors[..<seen].contains(where: { $0.token == shorter.tokens[known] }) {
            successors.append((shorter.tokens[known], rest * shorter.scores[known]))
          }
        }
        let best = successors.filter { Double($0.score) >= configuration.minimumProbability }
          .sorted { ($1.score, $0.token) < ($0.score, $1.token) }.prefix(configuration.width)
        contexts.tokens += best.map(\.token)
        contexts.scores += best.map(\.score)
        contexts.starts.append(Int32(contexts.tokens.count))
      }
      return grams
    }

    /// The table of the contexts of one length, without those that are rare or say nothing.
    func level(_ contexts: Grams, length: Int, _ configuration: NGramConfiguration) -> Level {
      let least = length > 1 ? Int32(configuration.minimumCount) : 1
      var kept: [(key: UInt64, context: Int)] = []
      for context in contexts.firsts.indices
      where contexts.continued[context] >= least
        && contexts.starts[context] < contexts.starts[context + 1]
      {
        let place = Int(places[Int(contexts.firsts[context])])
        let key = NGramLayout.key(of: text[place..<place + length].map { Int32($0) })
        kept.append((key, context))
      }
      kept.sort { $0.key < $1.key }
      var level = Level()
      for (key, context) in kept where level.keys.last != key {
        level.keys.append(key)
        let range = Int(contexts.starts[context])..<Int(contexts.starts[context + 1])
        level.tokens += contexts.tokens[range]
        level.probabilities += contexts.scores[range]
        level.starts.append(Int32(level.tokens.count))
      }
      return level
    }
  }
}
