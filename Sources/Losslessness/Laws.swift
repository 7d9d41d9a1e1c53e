import Sampling

/// Half the sum of absolute differences of two laws.
public func totalVariation<Outcome: Hashable>(
  _ a: [Outcome: Double], _ b: [Outcome: Double]
) -> Double {
  Set(a.keys).union(b.keys).reduce(0) { $0 + abs(a[$1, default: 0] - b[$1, default: 0]) } / 2
}

/// The law of plain decoding, multiplied out from the model itself.
public func plainLaw(_ model: TableModel, prompt: [Int32], length: Int, sampler: Sampler) throws
  -> [[Int32]: Double]
{
  var law: [[Int32]: Double] = [[]: 1]
  for _ in 0..<length {
    var longer: [[Int32]: Double] = [:]
    for (text, probability) in law {
      var logits = model.logits(after: prompt + text)
      let p = try logits.withUnsafeMutableBufferPointer {
        try sampler.distribution(logits: $0, context: prompt + text)
      }
      for token in 0..<Int32(model.vocabularySize) where p[token] > 0 {
        longer[text + [token]] = probability * p[token]
      }
    }
    law = longer
  }
  return law
}
