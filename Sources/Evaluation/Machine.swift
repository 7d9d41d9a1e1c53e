import Foundation

/// What the machine tells of itself.
public enum Machine {
  /// The processor's name; nil where it is not told.
  public static var processor: String? {
    field("model name", of: "/proc/cpuinfo", separator: ":")
  }

  /// The most memory that this process has had, in bytes; nil where it is not told.
  public static var peakMemory: Int? {
    field("VmHWM", of: "/proc/self/status", separator: ":")
      .flatMap { Int($0.split(separator: " ").first ?? "") }.map { $0 * 1024 }
  }

  private static func field(_ name: String, of path: String, separator: Character) -> String? {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      guard let place = line.firstIndex(of: separator) else { continue }
      return line[line.index(after: place)...].trimmingCharacters(in: .whitespaces)
    }
    return nil
  }
}

/// Reads the energy that the processor's packages have taken (Linux's powercap, which has RAPL's
/// counters), where it may be read.
public struct EnergyMeter: Sendable {
  private struct Zone: Sendable {
    var path: String
    /// Microjoules after which the counter begins anew.
    var range: Int
  }

  private let zones: [Zone]

  /// - Parameter folder: where the zones are.
  public init(folder: String = "/sys/class/powercap") {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    // Zones with a second colon are parts of a package and already counted there.
    zones = names.sorted().filter { $0.split(separator: ":").count == 2 }.compactMap { name in
      let path = "\(folder)/\(name)"
      guard Self.number("\(path)/energy_uj") != nil,
        let range = Self.number("\(path)/max_energy_range_uj")
      else { return nil }
      return Zone(path: "\(path)/energy_uj", range: range)
    }
  }

  private static func number(_ path: String) -> Int? {
    (try? String(contentsOfFile: path, encoding: .utf8))
      .flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
  }

  /// The counters, to be given to `joules(since:)`; nil where there are none.
  public func reading() -> [Int]? {
    guard !zones.isEmpty else { return nil }
    let values = zones.compactMap { Self.number($0.path) }
    return values.count == zones.count ? values : nil
  }

  /// The energy since an earlier reading, at most one turn of a counter ago.
  public func joules(since earlier: [Int]?) -> Double? {
    guard let earlier, let now = reading(), now.count == earlier.count else { return nil }
    var microjoules = 0
    for ((before, after), zone) in zip(zip(earlier, now), zones) {
      microjoules += after >= before ? after - before : after + zone.range - before
    }
    return Double(microjoules) / 1e6
  }
}
