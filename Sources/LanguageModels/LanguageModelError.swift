import Foundation

/// What can go wrong between a model's files and its logits.
public enum LanguageModelError: Error, Equatable, Sendable {
  /// The file names an architecture that has no file in `Architectures/`.
  case unsupportedArchitecture(file: String, field: String, found: String, supported: [String])
  case missingField(file: String, field: String, expected: String)
  case invalidField(file: String, field: String, expected: String, found: String)
  case unreadable(file: String, reason: String)
  case missingTensor(file: String, tensor: String, expected: [Int])
  case tensorShape(file: String, tensor: String, expected: [Int], found: [Int])
  case tensorKind(file: String, tensor: String, expected: String, found: String)
  case notEnoughMemory(purpose: String, needed: Int, available: Int)
  /// The attention kernel's scratch memory could not be had.
  case attentionMemory(rows: Int, tokens: Int)
  case threadsUnavailable(requested: Int)
  case capacityOutOfRange(requested: Int, limit: Int)
  case emptyInput
  case malformedTree(row: Int, parent: Int)
  /// Only chains can be longer than one chunk.
  case treeTooLarge(rows: Int, limit: Int)
  case tokenOutsideVocabulary(token: Int, row: Int, vocabularySize: Int)
  case cacheFull(rows: Int, count: Int, capacity: Int)
  case layerOutOfRange(layer: Int, layerCount: Int)
  /// A layer that was to be skipped.
  case skippedLayerOutOfRange(layer: Int, layerCount: Int)
  case foreignCache
  /// Two sequences of a pass have the same cache.
  case repeatedCache(sequence: Int)
  /// A model that takes a state with every token was given tokens only.
  case statesMissing(sequence: Int)
  /// Logits or the head of a model that has none.
  case noHead
  /// Several sequences of a pass have more rows than one chunk.
  case tooManyRows(rows: Int, limit: Int)
  /// A part of a vocabulary that is none.
  case invalidTokens(expected: String, found: String)
}

extension LanguageModelError: CustomStringConvertible, LocalizedError {
  public var errorDescription: String? { description }

  public var description: String {
    switch self {
    case .unsupportedArchitecture(let file, let field, let found, let supported):
      "\(file): \(field): architecture '\(found)' is not supported; "
        + "expected one of \(supported.joined(separator: ", "))"
    case .missingField(let file, let field, let expected):
      "\(file): \(field): expected \(expected), found nothing"
    case .invalidField(let file, let field, let expected, let found):
      "\(file): \(field): expected \(expected), found \(found)"
    case .unreadable(let file, let reason):
      "\(file): \(reason)"
    case .missingTensor(let file, let tensor, let expected):
      "\(file): tensor '\(tensor)': expected "
        + (expected.isEmpty ? "a matrix" : "shape \(expected)") + ", found no such tensor"
    case .tensorShape(let file, let tensor, let expected, let found):
      "\(file): tensor '\(tensor)': expected shape \(expected), found \(found)"
    case .tensorKind(let file, let tensor, let expected, let found):
      "\(file): tensor '\(tensor)': expected \(expected), found \(found)"
    case .notEnoughMemory(let purpose, let needed, let available):
      "\(purpose): \(megabytes(needed)) MB of memory are needed, "
        + "\(megabytes(available)) MB are available"
    case .attentionMemory(let rows, let tokens):
      "forward pass: no memory is left for the attention of \(rows) rows to \(tokens) tokens"
    case .threadsUnavailable(let requested):
      "cannot start \(requested) threads; expected a count from 1 to \(ComputePool.mostThreads)"
    case .capacityOutOfRange(let requested, let limit):
      "cache capacity: expected 1 to \(limit) tokens, found \(requested)"
    case .emptyInput:
      "forward pass: expected at least one token, found none"
    case .malformedTree(let row, let parent):
      "forward pass: row \(row): expected a parent from -1 to \(row - 1), found \(parent)"
    case .treeTooLarge(let rows, let limit):
      "forward pass: expected a tree of at most \(limit) rows, found \(rows)"
    case .tokenOutsideVocabulary(let token, let row, let vocabularySize):
      "forward pass: row \(row): expected a token from 0 to \(vocabularySize - 1), found \(token)"
    case .cacheFull(let rows, let count, let capacity):
      "forward pass: \(rows) rows do not fit: \(count) of the cache's \(capacity) tokens are used"
    case .layerOutOfRange(let layer, let layerCount):
      "forward pass: observed layer: expected 0 to \(layerCount), found \(layer)"
    case .foreignCache:
      "forward pass: the cache was made by another model"
    case .skippedLayerOutOfRange(let layer, let layerCount):
      "forward pass: skipped layer: expected 0 to \(layerCount - 1), found \(layer)"
    case .repeatedCache(let sequence):
      "forward pass: sequence \(sequence): expected a cache of its own, found an earlier one's"
    case .statesMissing(let sequence):
      "forward pass: sequence \(sequence): expected a state for each token, found none"
    case .noHead:
      "output head: expected a model that has one, found a model that takes states"
    case .tooManyRows(let rows, let limit):
      "forward pass: expected at most \(limit) rows of several sequences, found \(rows)"
    case .invalidTokens(let expected, let found):
      "output head: expected \(expected), found \(found)"
    }
  }

  private func megabytes(_ bytes: Int) -> Int { (bytes + 999_999) / 1_000_000 }
}
