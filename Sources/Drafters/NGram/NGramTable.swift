import Foundation
import LanguageModels
import ModelFiles
import Speculation

/// An n-gram language model of one language (as in 2605.30580): what follows contexts of one to a
/// few tokens in a text, smoothed. Mapped: only what is looked at is read.
public final class NGramTable: Sendable {
  public let language: String

  /// Contexts of one length.
  private struct Level: Sendable {
    let count: Int
    let successors: Int
    nonisolated(unsafe) let keys: UnsafeRawBufferPointer
    nonisolated(unsafe) let starts: UnsafeRawBufferPointer
    nonisolated(unsafe) let tokens: UnsafeRawBufferPointer
    nonisolated(unsafe) let probabilities: UnsafeRawBufferPointer

    @inline(__always)
    func key(_ place: Int) -> UInt64 {
      UInt64(littleEndian: keys.loadUnaligned(fromByteOffset: place * 8, as: UInt64.self))
    }

    /// Where the successors of a context are. A damaged file may say anything.
    func successors(at place: Int) -> Range<Int> {
      func start(_ place: Int) -> Int {
        let value = Int32(
          littleEndian: starts.loadUnaligned(fromByteOffset: place * 4, as: Int32.self))
        return min(max(0, Int(value)), successors)
      }
      let first = start(place)
      return first..<max(first, start(place + 1))
    }

    func token(_ place: Int) -> Int32 {
      Int32(littleEndian: tokens.loadUnaligned(fromByteOffset: place * 4, as: Int32.self))
    }

    /// The place of a key. They are hashes, so its value says nearly where it lies.
    func find(_ wanted: UInt64) -> Int? {
      let guess = Int(wanted.multipliedFullWidth(by: UInt64(count)).high)
      func bound(_ place: Int) -> Int { min(max(0, place), count) }
      var reach = 64
      var low = bound(guess - reach)
      while low > 0, key(low) > wanted {
        reach *= 4
        low = bound(guess - reach)
      }
      var high = bound(guess + reach)
      while high < count, key(high) < wanted {
        reach *= 4
        high = bound(guess + reach)
      }
      while low < high {
        let middle = low + (high - low) / 2
        if key(middle) < wanted { low = middle + 1 } else { high = middle }
      }
      return low < count && key(low) == wanted ? low : nil
    }
  }

  private let levels: [Level]
  /// Holds the mapping.
  private let file: any TensorFile
  private static let probability = (0...255).map { NGramLayout.probability(of: UInt8($0)) }

  /// - Throws: `StoreError` or `ModelFileError`, naming the tensor.
  init(language: String, file: any TensorFile) throws {
    self.language = language
    self.file = file
    func data(_ name: String, _ type: TensorType) throws -> (UnsafeRawBufferPointer, count: Int) {
      guard let info = file.tensors[name] else {
        throw ModelFileError.missingTensor(path: file.path, name: name)
      }
      guard info.type == type, info.shape.count == 1 else {
        throw StoreError.malformed(
          path: file.path, field: name, expected: "\(type.name) in one dimension",
          found: "\(info.type.name) \(info.shape)")
      }
      return (try file.data(of: name), info.shape[0])
    }
    var levels: [Level] = []
    for length in 1...NGramLayout.longestContext {
      let layout = NGramLayout(language: language, length: length)
      guard file.tensors[layout.keys] != nil else { break }
      let keys = try data(layout.keys, .i64)
      let starts = try data(layout.starts, .i32)
      let tokens = try data(layout.tokens, .i32)
      let probabilities = try data(layout.probabilities, .u8)
      for (name, expected, found) in [
        (layout.starts, keys.count + 1, starts.count),
        (layout.probabilities, tokens.count, probabilities.count),
      ] where expected != found {
        throw StoreError.malformed(
          path: file.path, field: name, expected: "\(expected) numbers", found: "\(found)")
      }
      levels.append(
        Level(
          count: keys.count, successors: tokens.count, keys: keys.0, starts: starts.0,
          tokens: tokens.0, probabilities: probabilities.0))
    }
    guard !levels.isEmpty else {
      throw ModelFileError.missingTensor(
        path: file.path, name: NGramLayout(language: language, length: 1).keys)
    }
    self.levels = levels
  }

  /// Contexts of all lengths.
  public var contextCount: Int { levels.reduce(0) { $0 + $1.count } }

  /// Tells what may follow, from the longest context that is known: its probabilities have the
  /// shorter ones' in them.
  /// - Returns: the length of that context; 0 when none is known.
  @discardableResult
  func forEachSuccessor(
    of context: TokenContext, _ body: (_ token: Int32, _ probability: Float) -> Void
  ) -> Int {
    for length in stride(from: min(levels.count, context.count), through: 1, by: -1) {
      let level = levels[length - 1]
      guard let place = level.find(context.hash(order: length)) else { continue }
      for successor in level.successors(at: place) where level.token(successor) >= 0 {
        body(level.token(successor), Self.probability[Int(level.probabilities[successor])])
      }
      return length
    }
    return 0
  }

  /// The probability of a token after a context; nil where it is not listed.
  func probability(of token: Int32, after context: TokenContext) -> Float? {
    var found: Float?
    forEachSuccessor(of: context) { if $0 == token { found = $1 } }
    return found
  }
}

/// The n-gram language models of a folder, one for each language.
public final class NGramModels: TrainedWeights {
  public let tables: [NGramTable]
  /// Contexts, which stand for what other drafters call parameters.
  public var parameterCount: Int { tables.reduce(0) { $0 + $1.contextCount } }

  /// - Throws: `StoreError` or `ModelFileError`, naming the tensor.
  init(tensors: any TensorFile) throws {
    let languages = Set(
      tensors.tensors.keys.compactMap { name -> String? in
        let parts = name.split(separator: ".")
        return parts.count == 3 && parts[2] == "keys" ? String(parts[0]) : nil
      }
    ).sorted()
    guard !languages.isEmpty else {
      throw ModelFileError.missingTensor(
        path: tensors.path, name: NGramLayout(language: "en", length: 1).keys)
    }
    tables = try languages.map {
      try NGramTable(
        language: $0, file: tensors)
    }
  }

  public func makeDrafter(_ settings: DrafterSettings) throws -> any Drafter {
    var configuration = settings.nGram
    if let length = settings.length { configuration.length = length }
    return try NGramDrafter(self, configuration)
  }
}
