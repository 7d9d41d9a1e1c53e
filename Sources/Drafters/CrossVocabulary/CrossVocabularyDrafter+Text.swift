import LanguageModels
import Sampling
import Speculation

/// What a draft model wrote in its own tokens.
struct DraftedText {
  private(set) var text: [UInt8] = []
  /// For each drafted token where it begins in the text, and its probability.
  private(set) var steps: [(start: Int, probability: Double)] = []
  /// A special token of the target after the text: nothing more can join it.
  private(set) var ending: (token: Int32, probability: Double)?

  mutating func append(
    _ token: Int32, probability: Double, of vocabulary: any TextVocabulary
  ) {
    steps.append((text.count, probability))
    vocabulary.appendBytes(of: token, to: &text)
  }

  /// Whether a token of the target is just what was drafted last.
  func isLastStep(_ token: TextToken?) -> Bool {
    guard let token, let last = steps.last else { return false }
    return token.range == last.start..<text.count
  }

  mutating func end(with token: Int32, probability: Double) { ending = (token, probability) }

  /// The probability of a part of the text: that of the drafted tokens that begin in it.
  func probability(of part: Range<Int>) -> Double {
    steps.reduce(1) { part.contains($1.start) ? $0 * $1.probability : $0 }
  }
}

/// A token of the target in drafted text.
struct TextToken: Equatable {
  var token: Int32
  var range: Range<Int>
}

// String-level exact match (SLEM).
extension CrossVocabularyDrafter {
  /// The chain of target tokens that the draft model's most probable text is.
  func draftText(after context: DraftContext, length: Int) throws -> DraftTree {
    canonical.update(to: context.tokens)
    var draft = translation.tokens
    var drafted = DraftedText()
    var chain: [TextToken] = []
    var path = 1.0
    // A character may take several drafted tokens.
    let most = 4 * length + 4
    while drafted.steps.count < most, chain.count <= length {
      // A token that both models write ends where both would end it.
      if chain.count == length, drafted.isLastStep(chain.last) { break }
      guard let (token, probability) = try next(after: draft, context) else { break }
      path *= probability
      let kind = bridge.draft.kind(of: token)
      // Only a further step tells where a token of the target ends, so each must be worth one.
      if path < max(context.minimumPathProbability, context.minimumLevelProbability)
        || probability < configuration.minimumConfidence ?? 0
      {
        // What would come next still tells whether it joins the last token.
        if kind == .text { chain = settled(chain, drafted, before: token) }
        return tree(of: chain, drafted, context, length)
      }
      if kind == .special, bridge.targetTokens[Int(token)] >= 0 {
        drafted.end(with: bridge.targetTokens[Int(token)], probability: probability)
      }
      guard kind == .text else { return tree(of: chain, drafted, context, length) }
      drafted.append(token, probability: probability, of: bridge.draft)
      draft.append(token)
      chain = targetTokens(of: drafted.text)
    }
    if chain.count <= length, !drafted.isLastStep(chain.last) { chain = chain.dropLast() }
    return tree(of: chain, drafted, context, length)
  }

  /// The most probable token of the draft model, and its probability.
  private func next(
    after tokens: [Int32], _ context: DraftContext
  ) throws -> (token: Int32, probability: Double)? {
    guard let row = try sequence.logits(after: tokens) else { return nil }
    let sampler = context.sampler.parameters.isGreedy ? try Self.warm() : context.sampler
    // Places in a cut head are not tokens: what was written before is not looked up there.
    let named = model.headTokens
    let logits =
      named == nil ? UnsafeMutableBufferPointer(rebasing: row[..<bridge.draft.size]) : row
    let written = named == nil ? tokens : []
    let place = try context.sampler.mostProbableToken(logits: logits, context: written)
    let probability = try sampler.distribution(logits: logits, context: written)[place]
    return (named.map { $0[Int(place)] } ?? place, min(1, probability))
  }

  /// The target's tokens of drafted text, in whole characters.
  ///
  /// The text is encoded together with the end of the context, so that words are cut as if they
  /// had been there at once. Where the target itself ended its last token elsewhere, the drafted
  /// text is encoded alone.
  func targetTokens(of text: [UInt8]) -> [TextToken] {
    tokens(of: canonical.openText, followedBy: text) ?? tokens(of: [], followedBy: text) ?? []
  }

  /// nil when no token begins where the text does.
  private func tokens(of context: [UInt8], followedBy text: [UInt8]) -> [TextToken]? {
    let whole = context + text
    var tokens: [Int32] = []
    let encoding = bridge.target.encode(whole, to: &tokens)
    var chain: [TextToken] = []
    var written: [UInt8] = []
    for token in tokens {
      let start = written.count
      bridge.target.appendBytes(of: token, to: &written)
      // A vocabulary may lack bytes: what does not spell the text is not proposed.
      guard whole[start...].starts(with: written[start...]) else { return nil }
      if start < context.count, written.count > context.count { return nil }
      guard written.count <= encoding.wholeBytes else { break }
      if start >= context.count {
        chain.append(
          TextToken(
            token: token, range: (start - context.count)..<(written.count - context.count)))
      }
    }
    return chain
  }

  /// The tokens that stay as they are when another drafted token follows.
  private func settled(
    _ chain: [TextToken], _ drafted: DraftedText, before next: Int32
  ) -> [TextToken] {
    var text = drafted.text
    bridge.draft.appendBytes(of: next, to: &text)
    return zip(chain, targetTokens(of: text)).prefix { $0 == $1 }.map(\.0)
  }

  private func tree(
    of chain: [TextToken], _ drafted: DraftedText, _ context: DraftContext, _ length: Int
  ) -> DraftTree {
    var tree = DraftTree()
    var parent = DraftTree.root
    var written = 0
    for part in chain.prefix(length) where Int(part.token) < context.vocabularySize {
      // Where one is left out, what follows it has no place.
      guard part.range.lowerBound == written else { break }
      written = part.range.upperBound
      parent = tree.add(
        part.token, under: parent, score: drafted.probability(of: part.range), source: name)
    }
    if let (token, probability) = drafted.ending, written == drafted.text.count,
      tree.count < length, Int(token) < context.vocabularySize
    {
      tree.add(token, under: parent, score: probability, source: name)
    }
    return tree
  }
}
