import Synchronization

extension Tokenizer {
  /// The tokens of a text.
  /// - Parameters:
  ///   - addSpecial: put the tokens around that the model's texts begin and end with. Leave it
  ///     out for text that a chat template made: the template writes them.
  ///   - parseSpecial: let control tokens written in the text (`<|im_end|>`) be those tokens.
  ///     Without it they are plain text; user-defined tokens are matched either way.
  public func encode(
    _ text: String, addSpecial: Bool = true, parseSpecial: Bool = true
  ) -> [Int32] {
    var text = text
    return text.withUTF8 { utf8 in
      var output: [Int32] = addSpecial ? description.prefix : []
      output.reserveCapacity(utf8.count / 3)
      let encoder = encoders.withLock { $0.popLast() } ?? WordEncoder()
      encodeSegments(utf8, parseSpecial: parseSpecial, encoder: encoder, to: &output)
      encoders.withLock { $0.append(encoder) }
      if addSpecial { output += description.suffix }
      return output
    }
  }

  /// The tokens of text as bytes; what is not UTF-8 becomes U+FFFD, as in Python's `replace`.
  public func encode(
    bytes: some Collection<UInt8>, addSpecial: Bool = true, parseSpecial: Bool = true
  ) -> [Int32] {
    encode(
      String(decoding: bytes, as: UTF8.self), addSpecial: addSpecial, parseSpecial: parseSpecial)
  }

  private func encodeSegments(
    _ text: UnsafeBufferPointer<UInt8>, parseSpecial: Bool, encoder: WordEncoder,
    to output: inout [Int32]
  ) {
    var start = 0
    while start < text.count {
      let match = matcher.next(in: text, from: start) {
        parseSpecial || types[Int($0)] == .userDefined
      }
      let end = match?.range.lowerBound ?? text.count
      if end > start {
        let segment = UnsafeBufferPointer(rebasing: text[start..<end])
        encodeSegment(
          segment, isFirst: start == 0, parseSpecial: parseSpecial, encoder: encoder, to: &output)
      }
      guard let match else { break }
      output.append(match.id)
      start = match.range.upperBound
    }
  }

  /// Appends the tokens of text that has no added token but, perhaps, in its normal form.
  private func encodeSegment(
    _ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, parseSpecial: Bool, encoder: WordEncoder,
    to output: inout [Int32]
  ) {
    guard let normalizedMatcher else {
      encoder.encode(text, isFirst: isFirst, model: model, to: &output)
      return
    }
    encoder.normalized(text, model).withUnsafeBufferPointer { text in
      var start = 0
      while start < text.count {
        let match = normalizedMatcher.next(in: text, from: start) {
          parseSpecial || types[Int($0)] == .userDefined
        }
        let end = match?.range.lowerBound ?? text.count
        if end > start {
          encoder.encode(
            UnsafeBufferPointer(rebasing: text[start..<end]), isFirst: isFirst && start == 0,
            isNormalized: true, model: model, to: &output)
        }
        guard let match else { break }
        output.append(match.id)
        start = match.range.upperBound
      }
    }
  }
}
