import Foundation
import LanguageModels
import ModelFiles
import Speculation
import Synchronization

extension Model {
  /// What a pass costs by its number of rows, on this machine and with this model's threads.
  ///
  /// Measured once, which takes a second, or about 140 passes over one row if that is longer, and
  /// then kept in the cache folder by the model file's checksum, the threads, the CPU, its
  /// instruction set and the program: another build may have other kernels. What was measured beside other work is measured again the next time, and the
  /// quicker of each counts.
  /// - Throws: `LanguageModelError` when memory is short.
  public func verificationCosts() throws -> VerificationCosts {
    try costs.withLock { known in
      if let known { return known }
      let store = CostStore(model: self)
      let stored = store.read()
      if let stored, stored.isQuiet {
        known = stored.costs
        return stored.costs
      }
      let (measured, isQuiet) = try measuredCosts()
      let found = isQuiet ? measured : try stored?.costs.quickest(measured) ?? measured
      store.write(found, isQuiet: isQuiet)
      known = found
      return found
    }
  }

  /// Measures, and tells whether the model's threads had their cores to themselves.
  private func measuredCosts() throws -> (VerificationCosts, isQuiet: Bool) {
    func processSeconds() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
    let threads = min(transformer.pool.threads, ProcessInfo.processInfo.activeProcessorCount)
    let start = processSeconds()
    var watch = Stopwatch()
    let costs = try VerificationCosts.measure(transformer)
    let share = (processSeconds() - start) / (watch.lap() * Double(threads))
    return (costs, share > Self.quietShare)
  }

  /// The share of its threads' time that a measurement computes where nothing disturbs it.
  private static let quietShare = 0.9
}

extension VerificationCosts {
  /// For each number of rows the quicker of two measurements of the same ones.
  fileprivate func quickest(_ other: VerificationCosts) throws -> VerificationCosts {
    guard points.map(\.rows) == other.points.map(\.rows) else { return other }
    return try VerificationCosts(
      points: zip(points, other.points).map { $0.seconds < $1.seconds ? $0 : $1 })
  }
}

extension Model {
  /// `verificationCosts()` if they have been asked for.
  public var knownCosts: VerificationCosts? { costs.withLock { $0 } }
}

/// Where measured costs are kept. A file that cannot be read is measured anew, and one that
/// cannot be written does without: the figures are worth a second.
private struct CostStore {
  private struct Content: Codable {
    var version = 4
    var model: String
    var checksum: String
    var threads: Int
    var cpu: String
    var instructionSet: String
    /// The program's size and time of change.
    var build: String
    /// Whether nothing else ran on the cores meanwhile.
    var isQuiet: Bool
    var costs: [VerificationCosts.Point]
  }

  private let content: Content
  private let path: String

  init(model: Model) {
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
    content = Content(
      model: model.name, checksum: sampledChecksum(of: model.file),
      threads: model.transformer.pool.threads, cpu: Self.cpuName,
      instructionSet: ComputePool.instructionSet, build: Self.build(of: program), isQuiet: false,
      costs: [])
    let key = Checksum64(
      "\(content.checksum) \(content.threads) \(content.cpu) \(content.instructionSet) \(program)"
        .utf8)
    path = "\(ModelCache.standard().folder)/costs/\(key).json"
  }

  func read() -> (costs: VerificationCosts, isQuiet: Bool)? {
    guard let data = FileManager.default.contents(atPath: path),
      let found = try? JSONDecoder().decode(Content.self, from: data),
      found.version == content.version, found.checksum == content.checksum,
      found.threads == content.threads, found.cpu == content.cpu,
      found.instructionSet == content.instructionSet, found.build == content.build
    else { return nil }
    return (try? VerificationCosts(points: found.costs)).map { ($0, found.isQuiet) }
  }

  func write(_ costs: VerificationCosts, isQuiet: Bool) {
    var content = content
    content.costs = costs.points
    content.isQuiet = isQuiet
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let url = URL(fileURLWithPath: path)
    try? FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try? encoder.encode(content).write(to: url, options: .atomic)
  }

  /// A program that is built anew measures anew.
  private static func build(of program: String) -> String {
    let attributes = try? FileManager.default.attributesOfItem(atPath: program)
    let size = (attributes?[.size] as? NSNumber)?.uint64Value ?? 0
    let changed = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
    return "\(size) \(changed)"
  }

  private static var cpuName: String {
    let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = lines.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces) ?? "unknown"
  }
}

/// A checksum of a file's size and of 256 pieces of it, spread evenly: tells models apart without
/// reading gigabytes. Of a folder, that of its weight files.
private func sampledChecksum(of path: String) -> String {
  var isFolder: ObjCBool = false
  _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
  let files =
    isFolder.boolValue
    ? ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
      .filter { $0.hasSuffix(".safetensors") }.sorted().map { "\(path)/\($0)" }
    : [path]
  var checksum = Checksum64()
  for file in files {
    guard let handle = FileHandle(forReadingAtPath: file),
      let size = try? handle.seekToEnd()
    else { continue }
    checksum.append("\(size)".utf8)
    for piece in 0..<256 as Range<UInt64> {
      try? handle.seek(toOffset: size / 256 * piece)
      if let bytes = try? handle.read(upToCount: 4096) { checksum.append(bytes) }
    }
  }
  return "\(checksum)"
}

/// FNV-1a over bytes, 64 bits.
struct Checksum64: CustomStringConvertible {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  init() {}

  init(_ bytes: some Sequence<UInt8>) { append(bytes) }

  mutating func append(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
  }

  var description: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
