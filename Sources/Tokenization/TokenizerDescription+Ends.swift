// What ends a text.
extension TokenizerDescription {
  /// Tokens that end a text or a turn under whatever name a file has for them: llama.cpp's list
  /// (`src/llama-vocab.cpp`), and a few of other families.
  private static let endNames: Set<String> = [
    "<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|eot|>",
    "<|end|>", "<|return|>", "<|call|>", "<|calls|>", "<|flush|>", "<end_of_turn>", "<turn|>",
    "<|tool_response>", "<|end_of_turn|>", "<|endofturn|>", "<end_of_utterance>", "<eos>", "<EOT>",
    "_<EOT>", "▁<EOT>", "[EOT]", "[EOS]", "[e~[", "<｜end▁of▁sentence｜>",
    // Beyond the text that was to be filled in: padding, another repository, another file.
    "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]", "<|fim_repo|>", "<|repo_name|>",
    "<fim-repo>", "<REPO>", "<reponame>", "<|file_sep|>",
  ]

  /// An end of text only as a control token: other vocabularies have it as a tag of HTML.
  private static let endTag = "</s>"

  private static let longestName = (endNames.map(\.utf8.count).max() ?? 0)
  private static let firstBytes = Set(endNames.compactMap(\.utf8.first))

  /// The pieces that end a text by their name, ascending.
  var namedEnds: [Int32] {
    var found: [String: Int32] = [:]
    for (id, piece) in pieces.enumerated() where piece.count <= Self.longestName {
      guard let first = piece.first, Self.firstBytes.contains(first) else { continue }
      let name = pieces.text(id)
      let isControl = types.indices.contains(id) && types[id] == .control
      if Self.endNames.contains(name) || name == Self.endTag && isControl {
        found[name] = Int32(id)
      }
    }
    // Where messages have parts, this one only ends a part (OpenAI's harmony, Solar).
    let hasParts =
      found["<|return|>"] != nil && found["<|call|>"] != nil
      || found["<|flush|>"] != nil && (found["<|call|>"] ?? found["<|calls|>"]) != nil
    if hasParts { found["<|end|>"] = nil }
    return found.values.sorted()
  }

  /// All tokens that end a text.
  var endTokens: Set<Int32> {
    endOfGeneration.union(namedEnds).union(eosToken.map { [$0] } ?? [])
  }
}
