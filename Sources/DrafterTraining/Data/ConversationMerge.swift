import Foundation
import ModelFiles

/// Several files of conversations as one.
public enum ConversationMerge {
  public struct Result: Sendable, Equatable {
    public var written = 0
    /// Conversations with the same words as an earlier one.
    public var repeated = 0
  }

  /// Writes the lines of some files into one, in a random order; of conversations with the same
  /// words only the first. The file appears whole or not at all.
  /// - Throws: `TrainingError.line` for a line that is no conversation, or `ModelFileError`.
  public static func merge(
    _ paths: [String], into output: String, seed: UInt64
  ) throws -> Result {
    var result = Result()
    var contents: Set<UInt64> = []
    let files = try paths.map { try TextLines(path: $0) }
    // Places, not lines: the files may be larger than the memory.
    var places: [(file: Int, range: Range<Int>)] = []
    for (index, file) in files.enumerated() {
      let conversations = ConversationFile(lines: file)
      for (line, conversation) in zip(file, conversations) {
        if contents.insert(try conversation.get().contentHash).inserted {
          places.append((index, line.range))
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
      let line = files[place.file].bytes(place.range) + [0x0A]
      try line.withUnsafeBytes { try file.write($0, at: offset) }
      offset += line.count
    }
    try file.commit()
    result.written = places.count
    return result
  }
}
