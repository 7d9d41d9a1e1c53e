import Foundation
import LanguageModels

/// What a forward pass of the target costs on this machine by its number of rows:
/// V(k) = T(k rows) / T(1 row).
public struct VerificationCosts: Sendable, Equatable, Codable {
  public struct Point: Sendable, Equatable, Codable {
    public var rows: Int
    public var seconds: Double

    public init(rows: Int, seconds: Double) {
      self.rows = rows
      self.seconds = seconds
    }
  }

  /// Measured points, ascending in rows and in seconds, the first one for one row.
  public let points: [Point]

  /// - Parameter points: in any order. More rows never count as cheaper than fewer: where the
  ///   measurement says so, it is noise.
  /// - Throws: `SpeculationError.invalidSetting` without a positive time for one row.
  public init(points: [Point]) throws {
    var sorted = points.sorted { $0.rows < $1.rows }
    guard sorted.first?.rows == 1, sorted.allSatisfy({ $0.seconds > 0 && $0.seconds.isFinite }),
      Set(sorted.map(\.rows)).count == sorted.count
    else {
      throw SpeculationError.invalidSetting(
        name: "verification costs",
        expected: "positive seconds, one for each number of rows, from one on",
        found: "\(points.map { "\($0.rows): \($0.seconds)" })")
    }
    for index in sorted.indices.dropFirst().reversed() {
      sorted[index - 1].seconds = min(sorted[index - 1].seconds, sorted[index].seconds)
    }
    self.points = sorted
  }

  /// T(1) in seconds.
  public var rowSeconds: Double { points[0].seconds }

  /// V(k): linear between measured points, and beyond the last one along the last slope.
  public func ratio(rows: Int) -> Double {
    guard points.count > 1 else { return 1 }
    let above = min(points.firstIndex { $0.rows >= rows } ?? points.count - 1, points.count - 1)
    guard above > 0 else { return 1 }
    let (low, high) = (points[above - 1], points[above])
    let slope = (high.seconds - low.seconds) / Double(high.rows - low.rows)
    return (low.seconds + slope * Double(rows - low.rows)) / rowSeconds
  }

  /// These costs, moved a quarter of the way to what was seen elsewhere, on a logarithmic scale.
  /// One sight in a moment of other work thus changes little, and what lasts is reached soon. A
  /// point moves by a fifth at most, and V(k) is k at most: rows could go one by one.
  /// - Throws: as `init`.
  public func refined(by seen: VerificationCosts) throws -> VerificationCosts {
    func moved(_ rows: Int, _ seconds: Double) -> Double {
      let found = seen.ratio(rows: rows) * seen.rowSeconds / seconds
      return seconds * pow(min(2, max(0.5, found)), 0.25)
    }
    let row = moved(1, rowSeconds)
    return try VerificationCosts(
      points: points.map { point in
        let seconds = moved(point.rows, point.seconds)
        return Point(rows: point.rows, seconds: min(max(row, seconds), row * Double(point.rows)))
      })
  }

  /// Measures a model's passes: the numbers of rows take turns, and the median of each counts. (The
  /// fastest passes are of moments when memory is free, which makes rows look dearer than they are.)
  /// - Parameters:
  ///   - seconds: about how long to measure; every number of rows gets three turns in any case.
  ///   - context: tokens in the cache.
  public static func measure<Model: LanguageModel>(
    _ model: Model, seconds: Double = 1, context: Int = 128,
    rows: [Int] = [1, 2, 3, 4, 5, 6, 8, 12, 16]
  ) throws -> VerificationCosts {
    let context = min(context, model.contextLength - (rows.max() ?? 1))
    let cache = try model.makeCache(capacity: context + (rows.max() ?? 1))
    // Which tokens they are does not matter to the time.
    func tokens(_ count: Int) -> [Int32] {
      (0..<count).map { Int32($0 * 37 % model.vocabularySize) }
    }
    if context > 0 {
      _ = try model.forward(chain: tokens(context), cache: cache, logits: .none)
      cache.commit(path: Array(0..<context))
    }
    _ = try model.forward(chain: tokens(rows.max() ?? 1), cache: cache)  // first touch of memory
    var times = [[Double]](repeating: [], count: rows.count)
    var spent = 0.0
    var turns = 0
    func time(_ index: Int) throws {
      let chain = tokens(rows[index])
      var watch = Stopwatch()
      _ = try model.forward(chain: chain, cache: cache)
      let time = watch.lap()
      times[index].append(time)
      spent += time
    }
    while turns < 3 || (spent < seconds && turns < 50) {
      for index in rows.indices {
        // The first two decide most and cost least: they are seen beside all others.
        for seen in Set([0, min(1, rows.count - 1), index]).sorted() { try time(seen) }
      }
      turns += 1
    }
    return try VerificationCosts(
      points: zip(rows, times).map { Point(rows: $0, seconds: $1.sorted()[$1.count / 2]) })
  }
}
