import LanguageModels

/// A growing list of rows of floats, such as states.
final class RowBuffer {
  let width: Int
  private(set) var count = 0
  private var memory: UnsafeMutableBufferPointer<Float>

  init(width: Int) {
    self.width = width
    memory = .allocate(capacity: width)
  }

  deinit { memory.deallocate() }

  /// Valid until the next change.
  var rows: FloatRows { FloatRows(base: base, rows: count, columns: width) }

  private var base: UnsafeMutablePointer<Float> {
    guard let base = memory.baseAddress else { preconditionFailure("a buffer has memory") }
    return base
  }

  func append(_ row: some Collection<Float>) {
    append(count: 1) { new in
      _ = UnsafeMutableBufferPointer(start: new, count: width).update(fromContentsOf: row)
    }
  }

  /// Appends rows that `fill` writes. (count, width)
  func append(count new: Int, _ fill: (UnsafeMutablePointer<Float>) -> Void) {
    let needed = (count + new) * width
    if needed > memory.count {
      let larger = UnsafeMutableBufferPointer<Float>.allocate(
        capacity: max(needed, 2 * memory.count))
      larger.baseAddress?.update(from: base, count: count * width)
      memory.deallocate()
      memory = larger
    }
    fill(base + count * width)
    count += new
  }

  func removeFirst(_ gone: Int) {
    base.update(from: base + gone * width, count: (count - gone) * width)
    count -= gone
  }

  /// Keeps the first rows only.
  func keep(_ kept: Int) { count = min(count, kept) }

  func removeAll() { count = 0 }
}
