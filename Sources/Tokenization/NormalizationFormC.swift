import Foundation

/// Unicode's normalization form C, which Qwen's tokenizers apply first.
enum NormalizationFormC {
  /// A quick look: false only if the text is in form C already.
  static func mayChange(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    UnicodeClasses.basicPlane.withUnsafeBufferPointer { classes in
      guard let table = classes.baseAddress else { return false }
      let reader = ScalarReader(text, classes: table)
      var index = 0
      while index < text.count {
        // Nothing below U+0300 changes.
        if text[index] < 0xCC {
          index += text[index] < 0x80 ? 1 : 2
          continue
        }
        let (kind, next) = reader.read(index)
        if kind.contains(.unstable) { return true }
        index = next
      }
      return false
    }
  }

  static func normalize(_ text: UnsafeBufferPointer<UInt8>) -> String {
    // Foundation on Linux drops U+11A7 after a syllable, where Hangul's arithmetic has a gap; the
    // letter composes with nothing.
    String(decoding: text, as: UTF8.self).unicodeScalars
      .split(separator: "\u{11A7}", omittingEmptySubsequences: false)
      .map { compose(String($0)) }
      .joined(separator: "\u{11A7}")
  }

  /// By way of form D: Foundation on Linux leaves 가 + U+11A8 apart, and marks in their order, when
  /// it composes what is partly composed.
  private static func compose(_ text: String) -> String {
    text.decomposedStringWithCanonicalMapping.precomposedStringWithCanonicalMapping
  }
}
