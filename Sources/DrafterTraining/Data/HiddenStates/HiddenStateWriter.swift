import Foundation
import ModelFiles

/// Writes hidden states into a folder, shard by shard. A shard appears whole or not at all; a
/// writer on a folder with shards goes on after the last.
public final class HiddenStateWriter {
  public let folder: String
  public let layers: [Int]
  public let hiddenSize: Int
  /// Rows and bytes that this writer has put on disk.
  public private(set) var writtenRows = 0
  public private(set) var writtenBytes = 0

  private let metadata: HiddenStateMetadata
  private let shardRows: Int
  private let lock: Int32
  private var next = 0
  /// Hashes of the tokens of all documents, on disk and to come.
  private var known: Set<UInt64> = []

  /// The shard in the making.
  private var tokens: [Int32] = []
  private var answer: [UInt8] = []
  private var documents: [Int32] = [0]
  private var states: [[UInt16]]

  private var kinds: [StateKind] { [.final] + layers.map(StateKind.layer) }

  /// Opens or makes the folder.
  /// - Parameters:
  ///   - layers: whose states are written beside the final ones; 0 = the embedding.
  ///   - shardRows: a shard is written when it has so many rows.
  /// - Throws: `TrainingError.file`, also when another process writes the folder;
  ///   `TrainingError.field` when the shards that are there come from another target or have other
  ///   layers.
  public init(
    folder: String, metadata: HiddenStateMetadata, hiddenSize: Int, layers: [Int],
    shardRows: Int = 16_384
  ) throws {
    self.folder = folder
    self.metadata = metadata
    self.hiddenSize = hiddenSize
    self.layers = layers
    self.shardRows = shardRows
    states = Array(repeating: [], count: 1 + layers.count)
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw TrainingError.file(path: folder, reason: error.localizedDescription)
    }
    lock = open(folder, O_RDONLY | O_CLOEXEC)
    guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      let reason =
        lock >= 0 && errno == EWOULDBLOCK
        ? "another process is writing it" : String(cString: strerror(errno))
      if lock >= 0 { close(lock) }
      throw TrainingError.file(path: folder, reason: reason)
    }
    do {
      for path in HiddenStateSet.shards(in: folder) { try take(HiddenStateFile(path: path)) }
    } catch {
      close(lock)
      throw error
    }
  }

  deinit { close(lock) }

  /// Notes what a shard holds.
  private func take(_ file: HiddenStateFile) throws {
    func check<Value: Equatable>(_ field: String, _ expected: Value, _ found: Value) throws {
      guard expected == found else {
        throw TrainingError.field(
          path: file.path, field: field, expected: "\(expected)", found: "\(found)")
      }
    }
    if let difference = metadata.difference(from: file.metadata) {
      try check(difference.field, difference.expected, difference.found)
    }
    try check("hidden size", hiddenSize, file.hiddenSize)
    try check("layers", layers.sorted(), file.layers)
    for rows in file.documents { known.insert(Self.key(try file.tokens(rows))) }
    let name = URL(fileURLWithPath: file.path).deletingPathExtension().lastPathComponent
    next = max(next, (Int(name.dropFirst("states-".count)) ?? -1) + 1)
  }

  /// Whether a document with the same tokens is there or about to be written.
  public func contains(_ document: TokenizedConversation) -> Bool {
    known.contains(Self.key(document.tokens))
  }

  /// Adds a document; writes a shard when it is full.
  /// - Parameter states: of its first tokens, all that there are: for the final state and each
  ///   layer, in bfloat16. (rows, hiddenSize)
  /// - Throws: `ModelFileError`, for instance when the disk is full.
  public func append(_ document: TokenizedConversation, states: [[UInt16]]) throws {
    let rows = min(document.tokens.count, (states.map(\.count).min() ?? 0) / hiddenSize)
    guard rows > 0, known.insert(Self.key(document.tokens)).inserted else { return }
    tokens += document.tokens.prefix(rows)
    answer += document.answerMask.prefix(rows)
    documents.append(Int32(tokens.count))
    for index in states.indices { self.states[index] += states[index].prefix(rows * hiddenSize) }
    if tokens.count >= shardRows { try finish() }
  }

  /// Writes what there is, as a shard that may be small.
  public func finish() throws {
    guard !tokens.isEmpty else { return }
    let digits = String(next)
    let path =
      "\(folder)/states-\(String(repeating: "0", count: max(0, 5 - digits.count)))\(digits)"
      + ".safetensors"
    let writer = try SafetensorsWriter(
      path: path,
      tensors: kinds.map {
        TensorInfo(name: $0.name, type: .bf16, shape: [tokens.count, hiddenSize])
      } + [
        TensorInfo(name: "tokens", type: .i32, shape: [tokens.count]),
        TensorInfo(name: "documents", type: .i32, shape: [documents.count]),
        TensorInfo(name: "answer", type: .u8, shape: [answer.count]),
      ], metadata: metadata.fields)
    for (kind, states) in zip(kinds, states) {
      try states.withUnsafeBytes { try writer.append(bytes: $0, to: kind.name) }
    }
    try writer.append(tokens, to: "tokens")
    try writer.append(documents, to: "documents")
    try writer.append(answer, to: "answer")
    try writer.finish()
    next += 1
    writtenRows += tokens.count
    writtenBytes += tokens.count * bytesPerRow
    tokens = []
    answer = []
    documents = [0]
    states = Array(repeating: [], count: states.count)
  }

  /// What a row takes on disk.
  public var bytesPerRow: Int {
    kinds.count * hiddenSize * MemoryLayout<UInt16>.size + MemoryLayout<Int32>.size + 1
  }

  private static func key(_ tokens: [Int32]) -> UInt64 {
    tokens.withUnsafeBytes { stableHash($0) }
  }
}
