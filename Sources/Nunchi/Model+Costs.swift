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
  /// instruction set and the kernels' version, for all programs. What decoding sees corrects it
  /// there.
  /// - Throws: `LanguageModelError` when memory is short.
  public func verificationCosts() throws -> VerificationCosts {
    try costs.withLock { known in
      if let known { return known.costs }
      let store = CostStore(model: self)
      let stored = store.read()
      let costs = try stored ?? VerificationCosts.measure(transformer)
      if stored == nil { store.write(costs) }
      known = KnownCosts(costs: costs, store: store)
      return costs
    }
  }

  /// `verificationCosts()` if they have been asked for.
  public var knownCosts: VerificationCosts? { costs.withLock { $0?.costs } }

  /// Corrects what is kept for later starts, by what a controller has seen. This process goes on
  /// with what it knows: its controllers follow by themselves.
  /// - Parameter steps: of the generation that has just ended; few say little.
  func refineCosts(by controller: SpeedController, steps: Int) {
    guard steps >= Self.refiningSteps, let seen = try? controller.seenCosts else { return }
    costs.withLock { known in
      let now = ContinuousClock.now
      guard let found = known, found.refined.map({ now - $0 > Self.refiningPause }) ?? true
      else { return }
      known?.refined = now
      guard let refined = try? (found.store.read() ?? found.costs).refined(by: seen) else { return }
      found.store.write(refined)
    }
  }

  private static let refiningSteps = 16
  /// A program of many short generations writes no oftener.
  private static let refiningPause = Duration.seconds(10)
}

/// What passes cost, and where it is kept.
struct KnownCosts {
  let costs: VerificationCosts
  let store: CostStore
  /// When what is kept was last refined.
  var refined: ContinuousClock.Instant?
}

/// Where measured costs are kept. A file that cannot be read is measured anew, and one that
/// cannot be written does without: the figures are worth a second. Of two processes that write at
/// the same time the last one's is kept, whole.
struct CostStore {
  private struct Content: Codable, Equatable {
    var version = 5
    var model: String
    var checksum: String
    var threads: Int
    var cpu: String
    var instructionSet: String
    var kernels: String
    var costs: [VerificationCosts.Point] = []

    /// All that must agree, in one text.
    var key: String { "\(version) \(checksum) \(threads) \(cpu) \(instructionSet) \(kernels)" }
  }

  private let content: Content
  let path: String

  init(
    model: Model, folder: String = ModelCache.standard().folder,
    kernels: String = ComputePool.kernelsVersion
  ) {
    content = Content(
      model: model.name, checksum: sampledChecksum(of: model.file),
      threads: model.transformer.pool.threads, cpu: Self.cpuName,
      instructionSet: ComputePool.instructionSet, kernels: kernels)
    path = "\(folder)/costs/\(Checksum64(content.key.utf8)).json"
  }

  func read() -> VerificationCosts? {
    guard let data = FileManager.default.contents(atPath: path),
      let found = try? JSONDecoder().decode(Content.self, from: data), found.key == content.key
    else { return nil }
    return try? VerificationCosts(points: found.costs)
  }

  func write(_ costs: VerificationCosts) {
    var content = content
    content.costs = costs.points
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let url = URL(fileURLWithPath: path)
    try? FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try? encoder.encode(content).write(to: url, options: .atomic)
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
