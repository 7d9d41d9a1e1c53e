import Foundation
import ModelFiles

/// Several files of conversations as one.
public enum ConversationMerge {
  public struct Result: Sendable, Equatable {
    public var written = 0
    /// Conversations with the same words as an earlier one.
    public var repeated = 0
    /// Lines that are no conversations.
    public var leftOut: [LeftOut] = []
  }

  /// Writes the lines of some files into one, in a random order; of conversations with the same
  /// words only the first. The file appears whole or not at all. Entries of arrays become lines.
  /// - Throws: `TrainingError.line` for a file of which no line is a conversation, or
  ///   `ModelFileError`.
  public static func merge(
    _ paths: [String], into output: String, seed: UInt64
  ) throws -> Result {
    var result = Result()
    var contents: Set<UInt64> = []
    let files = try paths.map { try ConversationFile(path: $0).records }
    // Places, not lines: the files may be larger than the memory.
    var places: [(file: Int, range: Range<Int>)] = []
    let decoder = Conversation.decoder()
    for (index, file) in files.enumerated() {
      try file.forEach(
        leavingOut: &result.leftOut,
        read: { (try $0.conversation(by: decoder).contentHash, $0.range) }
      ) { content, range in
        if contents.insert(content).inserted {
          places.append((index, range))
        } else {
          result.repeated += 1
        }
      }
    }
    var random = SeededRandom(seed: seed)
    places.shuffle(using: &random)
    let file = try AtomicFile(path: output)
    var offset = 0
    for place in places {
      // Line breaks within a value are white space: in its texts they are escaped.
      let line =
        files[place.file].bytes(place.range).map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 } + [0x0A]
      try line.withUnsafeBytes { try file.write($0, at: offset) }
      offset += line.count
    }
    try file.commit()
    result.written = places.count
    return result
  }
}
