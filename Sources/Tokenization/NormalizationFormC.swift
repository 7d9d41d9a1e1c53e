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
    String(decoding: text, as: UTF8.self).precomposedStringWithCanonicalMapping
  }
}
