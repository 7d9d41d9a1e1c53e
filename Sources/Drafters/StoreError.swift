import Foundation

/// What can go wrong with files that drafters read: datastores and stores of past outputs.
public enum StoreError: Error, Equatable, Sendable {
  case unreadable(path: String, reason: String)
  case unwritable(path: String, reason: String)
  case malformed(path: String, field: String, expected: String, found: String)
  /// Made with another tokenizer: the same ids are other tokens there.
  case otherVocabulary(path: String)
}

extension StoreError: CustomStringConvertible, LocalizedError {
  public var description: String {
    switch self {
    case .unreadable(let path, let reason):
      "\(path): cannot be read: \(reason)"
    case .unwritable(let path, let reason):
      "\(path): cannot be written: \(reason)"
    case .malformed(let path, let field, let expected, let found):
      "\(path): \(field): expected \(expected), found \(found)"
    case .otherVocabulary(let path):
      "\(path): vocabulary: expected the model's, found that of another tokenizer"
    }
  }

  public var errorDescription: String? { description }
}

/// A 64-bit hash (FNV-1a) that tells damaged bytes from sound ones; no protection from forgery.
func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
  return hash
}
