import Foundation

/// What a folder of n-gram language models has in its `model.safetensors`, for whoever reads or
/// writes it. Each language has, for contexts of each length of n tokens, a table of the contexts
/// in the order of their keys, and what may follow each, the likeliest first.
public struct NGramLayout: Sendable, Equatable {
  /// ISO 639-1, or a programming language's name.
  public var language: String
  /// Tokens of a context.
  public var length: Int

  public init(language: String, length: Int) {
    self.language = language
    self.length = length
  }

  /// The longest context.
  public static let longestContext = TokenContext.maximumOrder

  /// The key of each context, ascending as unsigned numbers. I64 (contexts)
  public var keys: String { "\(language).\(length).keys" }
  /// Where the successors of each context begin, and at the end where they all end. I32
  /// (contexts + 1)
  public var starts: String { "\(language).\(length).starts" }
  /// I32 (successors)
  public var tokens: String { "\(language).\(length).tokens" }
  /// The probability of each, as `probability(of:)` reads it. U8 (successors)
  public var probabilities: String { "\(language).\(length).probabilities" }

  /// What a table knows a context by.
  /// - Parameter context: tokens in the order of the text, at most `longestContext`.
  public static func key(of context: some BidirectionalCollection<Int32>) -> UInt64 {
    TokenContext(context).hash(order: context.count)
  }

  /// In steps of a sixteenth of an octave: an error of 2 % at most, from 1 down to 2⁻¹⁶.
  public static func code(of probability: Float) -> UInt8 {
    guard probability > 0x1p-16 else { return .max }
    return UInt8(min(255, max(0, (-16 * log2(probability)).rounded())))
  }

  public static func probability(of code: UInt8) -> Float { exp2(-Float(code) / 16) }
}
