/// Finds the first stop string in text that comes in pieces. Text that may yet turn out to be
/// the beginning of one is held back.
struct StopStrings {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []

  init(_ stops: [String] = []) throws {
    guard !stops.contains("") else { throw NunchiError.emptyStopString }
    self.stops = stops.map { Array($0.utf8) }
  }

  /// The text that is safe to show, and whether a stop string follows it.
  mutating func append(_ text: String) -> (text: String, stopped: Bool) {
    if stops.isEmpty { return (text, false) }
    held += Array(text.utf8)
    for start in held.indices where stops.contains(where: { held[start...].starts(with: $0) }) {
      return (release(start), true)
    }
    let start =
      held.indices.first { start in stops.contains { $0.starts(with: held[start...]) } }
      ?? held.count
    return (release(start), false)
  }

  /// The text that was held back, when no more comes.
  mutating func finish() -> String { release(held.count) }

  private mutating func release(_ count: Int) -> String {
    defer { held.removeFirst(count) }
    return String(decoding: held[..<count], as: UTF8.self)
  }
}
