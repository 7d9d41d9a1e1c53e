import Foundation
import Synchronization
import Testing

@testable import ModelFiles

@Suite struct FetchTests {
  private let folder: TemporaryFolder
  private let content: [UInt8]
  private let sha256 = "300d0eb257b76928628c768cbf15a1323fde3ae6daafecdaa737e67813a33718"

  init() throws {
    folder = try TemporaryFolder()
    var generator = SeededGenerator(seed: 7)
    content = (0..<300_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  private func fetcher(
    environment: [String: String] = [:], freeSpace: Int = .max, attempts: Int = 4
  ) -> ModelFetcher {
    ModelFetcher(
      cache: ModelCache(folder: folder.path),
      environment: ProcessInfo.processInfo.environment.merging(environment) { $1 },
      freeSpace: { _ in freeSpace }, retryDelay: .milliseconds(10), attempts: attempts)
  }

  private func entry(_ sources: String..., size: Int? = 300_000) throws -> CatalogueEntry {
    CatalogueEntry(
      name: "Test", file: "test.gguf", size: size, sha256: sha256,
      sources: try sources.map { try #require(ModelSource($0)) })
  }

  private func server(
    _ change: (inout LocalServer.Behaviour) -> Void = { _ in }
  ) throws -> LocalServer {
    var behaviour = LocalServer.Behaviour(content: content)
    change(&behaviour)
    return try LocalServer(behaviour)
  }

  /// Names in the models folder.
  private var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/models")) ?? [])
      .sorted()
  }

  private func put(_ bytes: some Collection<UInt8>, as name: String) throws {
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/models", withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: "\(folder.path)/models/\(name)"))
  }

  private func isFetched() throws -> Bool {
    let data = FileManager.default.contents(atPath: "\(folder.path)/models/test.gguf")
    return names == ["test.gguf"] && data == Data(content)
  }

  @Test("A file is fetched once, with its progress told")
  func plain() throws {
    let server = try server()
    defer { server.stop() }
    let entry = try entry("\(server.url)/test.gguf")
    #expect(fetcher().status(of: entry) == .missing)
    var reports: [FetchProgress] = []
    let path = try fetcher().fetch(entry) { reports.append($0) }
    #expect(path == "\(folder.path)/models/test.gguf")
    #expect(try isFetched())
    #expect(fetcher().status(of: entry) == .present)
    try fetcher().verify(entry)
    let bytes = reports.filter { $0.phase == .downloading }.map(\.bytes)
    #expect(bytes == bytes.sorted())
    #expect(bytes.first == 0 && bytes.last == 300_000)
    #expect(reports.last?.phase == .verifying)
    let asked = server.requests.count
    try fetcher().fetch(entry)
    #expect(server.requests.count == asked)
  }

  @Test("A connection cut again and again is resumed where it stopped")
  func cuts() throws {
    let server = try server { $0.cutAfter = 70_000 }
    defer { server.stop() }
    try fetcher().fetch(entry("\(server.url)/test.gguf"))
    #expect(try isFetched())
    let ranges = server.requests.compactMap { $0.headers["range"] }
    #expect(ranges == ["bytes=70000-", "bytes=140000-", "bytes=210000-", "bytes=280000-"])
  }

  @Test("A file whose size nobody says is fetched", arguments: [true, false])
  func unknownSize(announced: Bool) throws {
    let server = try server { $0.announcesLength = announced }
    defer { server.stop() }
    try fetcher().fetch(entry("\(server.url)/test.gguf", size: nil))
    #expect(try isFetched())
  }

  @Test("What an earlier run left is used")
  func resumed() throws {
    try put(content[..<123_456], as: "test.gguf.part")
    let server = try server()
    defer { server.stop() }
    let entry = try entry("\(server.url)/test.gguf")
    #expect(fetcher().status(of: entry) == .partial(123_456))
    try fetcher().fetch(entry)
    #expect(try isFetched())
    #expect(server.requests.map { $0.headers["range"] } == ["bytes=123456-"])
  }

  @Test("When the server ignores ranges, the download starts over")
  func noRanges() throws {
    let server = try server {
      $0.supportsRanges = false
      $0.cutAfter = 100_000
      $0.cuts = 1
    }
    defer { server.stop() }
    try fetcher().fetch(entry("\(server.url)/test.gguf"))
    #expect(try isFetched())
  }

  @Test("A server that ignores ranges and always cuts is given up")
  func hopeless() throws {
    let server = try server {
      $0.supportsRanges = false
      $0.cutAfter = 100_000
    }
    defer { server.stop() }
    let entry = try entry("\(server.url)/test.gguf")
    let error = try modelFileError { try fetcher().fetch(entry) }
    guard case .download = error else {
      Issue.record("\(error)")
      return
    }
    #expect(!names.contains("test.gguf"))
  }

  @Test("A part left by another file is found out and fetched again")
  func staleResume() throws {
    try put([UInt8](repeating: 1, count: 1000), as: "test.gguf.part")
    let server = try server()
    defer { server.stop() }
    try fetcher().fetch(entry("\(server.url)/test.gguf"))
    #expect(try isFetched())
  }

  @Test("Busy servers are asked again", arguments: [500, 503, 429, 408])
  func busy(status: Int) throws {
    let server = try server { $0.failures = [status, status] }
    defer { server.stop() }
    try fetcher().fetch(entry("\(server.url)/test.gguf"))
    #expect(try isFetched())
    #expect(server.requests.count == 3)
  }

  @Test("A file that is not there is given up at once", arguments: [404, 401, 410])
  func absent(status: Int) throws {
    let server = try server { $0.failures = Array(repeating: status, count: 9) }
    defer { server.stop() }
    let entry = try entry("\(server.url)/test.gguf")
    let error = try modelFileError { try fetcher().fetch(entry) }
    #expect("\(error)".contains("\(status)"), "\(error)")
    #expect(server.requests.count == 1)
    #expect(names.isEmpty)
  }

  @Test("A server that always fails is given up after some attempts")
  func broken() throws {
    let server = try server { $0.failures = Array(repeating: 500, count: 99) }
    defer { server.stop() }
    let entry = try entry("\(server.url)/test.gguf")
    let error = try modelFileError { try fetcher(attempts: 3).fetch(entry) }
    #expect("\(error)".contains("(3 attempts)"), "\(error)")
    #expect(server.requests.count == 3)
  }

  @Test("Other content is refused, and nothing is left", arguments: [300_000, nil])
  func wrongChecksum(size: Int?) throws {
    let server = try server { $0.content[777] ^= 1 }
    defer { server.stop() }
    let entry = try entry("\(server.url)/test.gguf", size: size)
    let error = try modelFileError { try fetcher().fetch(entry) }
    guard case .wrongChecksum(_, sha256, let found) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(found != sha256 && found.count == 64)
    #expect(names.isEmpty)
  }

  @Test("Content that is too long or too short is refused", arguments: [299_999, 300_001])
  func wrongSize(size: Int) throws {
    let server = try server()
    defer { server.stop() }
    let entry = try entry("\(server.url)/test.gguf", size: size)
    let error = try modelFileError { try fetcher().fetch(entry) }
    #expect("\(error)".contains("expected \(size) bytes"), "\(error)")
    #expect(!names.contains("test.gguf"))
  }

  @Test("A server that sends without an end is left at once", .timeLimit(.minutes(5)))
  func endless() throws {
    // More than the pipe holds: curl waits for a reader, and has to be ended.
    let server = try server { $0.content = Array(repeating: 1, count: 30_000_000) }
    defer { server.stop() }
    let entry = try entry("\(server.url)/test.gguf")
    let start = ContinuousClock.now
    let error = try modelFileError { try fetcher().fetch(entry) }
    #expect("\(error)".contains("expected 300000 bytes, found more"), "\(error)")
    #expect(ContinuousClock.now - start < .seconds(120))
    #expect(names.isEmpty)
  }

  @Test("A full disk is told before anything is asked for")
  func fullDisk() throws {
    let server = try server()
    defer { server.stop() }
    try put(content[..<100_000], as: "test.gguf.part")
    let entry = try entry("\(server.url)/test.gguf")
    let error = try modelFileError { try fetcher(freeSpace: 199_999).fetch(entry) }
    #expect(
      error
        == .diskFull(path: "\(folder.path)/models", needed: 200_000, free: 199_999))
    #expect(server.requests.isEmpty)
    // With a byte more it fits.
    try fetcher(freeSpace: 200_000).fetch(entry)
    #expect(try isFetched())
  }

  @Test("The system's own free space is a number of bytes")
  func freeSpace() throws {
    #expect(try ModelFetcher.freeSpace(in: folder.path) > 0)
    #expect(throws: ModelFileError.self) { try ModelFetcher.freeSpace(in: "/absent") }
  }

  @Test("hf: sources are asked for at HF_ENDPOINT, with the token, through a redirect")
  func huggingFace() throws {
    let storage = try server()
    defer { storage.stop() }
    // The port alone differs: to whom the token is sent must not depend on curl's age.
    let hub = try server { $0.redirect = "http://127.0.0.1:\(storage.port)/blob" }
    defer { hub.stop() }
    let fetcher = fetcher(environment: ["HF_ENDPOINT": "\(hub.url)/", "HF_TOKEN": "secret"])
    try fetcher.fetch(entry("hf:owner/repo/folder/test.gguf"))
    #expect(try isFetched())
    let request = try #require(hub.requests.first)
    #expect(request.path == "/owner/repo/resolve/main/folder/test.gguf")
    #expect(request.headers["authorization"] == "Bearer secret")
    #expect(storage.requests.map(\.path) == ["/blob"])
    #expect(storage.requests.allSatisfy { $0.headers["authorization"] == nil })
  }

  @Test("The token goes to no other address")
  func tokenStays() throws {
    let server = try server()
    defer { server.stop() }
    try fetcher(environment: ["HF_TOKEN": "secret"]).fetch(entry("\(server.url)/test.gguf"))
    #expect(server.requests.allSatisfy { $0.headers["authorization"] == nil })
  }

  @Test("The models of a category of a user's catalogue are fetched")
  func category() throws {
    let server = try server()
    defer { server.stop() }
    func model(_ name: String, _ category: String) -> String {
      "- {name: \(name), categories: [\(category)], sha256: \(sha256), "
        + "sources: ['\(server.url)/\(name).gguf']}\n"
    }
    let yaml = model("one", "test") + model("two", "other") + model("three", "test")
    let catalogue = try ModelCatalogue.builtIn.adding(yaml: yaml, path: "models.yaml")
    for model in try catalogue.models(inCategory: "test") { try fetcher().fetch(model) }
    #expect(names == ["one.gguf", "three.gguf"])
  }

  @Test("When one source fails, the next is tried")
  func mirrors() throws {
    let absent = try server { $0.failures = [404] }
    defer { absent.stop() }
    let other = try server { $0.content = Array(repeating: 0, count: 300_000) }
    defer { other.stop() }
    let good = try server()
    defer { good.stop() }
    try fetcher().fetch(
      entry("\(absent.url)/test.gguf", "\(other.url)/test.gguf", "\(good.url)/test.gguf"))
    #expect(try isFetched())
  }

  @Test("Two fetches of one model at a time download it once")
  func concurrent() async throws {
    let server = try server()
    defer { server.stop() }
    let entry = try entry("\(server.url)/test.gguf")
    let fetcher = fetcher()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<2 { group.addTask { try fetcher.fetch(entry) } }
      try await group.waitForAll()
    }
    #expect(try isFetched())
    #expect(server.requests.count == 1)
  }

  @Test("Whoever holds the lock is waited for")
  func waiting() async throws {
    let path = "\(folder.path)/lock"
    var first: FileLock? = try FileLock(path: path) {}
    let order = Mutex<[String]>([])
    let second = Task.detached {
      let lock = try FileLock(path: path) { order.withLock { $0.append("waits") } }
      withExtendedLifetime(lock) { order.withLock { $0.append("has it") } }
    }
    while order.withLock({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(5)) }
    order.withLock { $0.append("given up") }
    withExtendedLifetime(first) {}
    first = nil
    try await second.value
    #expect(order.withLock { $0 } == ["waits", "given up", "has it"])
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test("verify tells a wrong file and a missing one")
  func verify() throws {
    let entry = try entry("http://127.0.0.1/test.gguf")
    let missing = try modelFileError { try fetcher().verify(entry) }
    #expect(missing == .notFetched(name: "Test", path: "\(folder.path)/models/test.gguf"))
    try put(content.dropLast(), as: "test.gguf")
    #expect(fetcher().status(of: entry) == .wrongSize(299_999))
    #expect(
      "\(try modelFileError { try fetcher().verify(entry) })"
        .contains("size: expected 300000 bytes, found 299999"))
    try put(content.reversed(), as: "test.gguf")
    guard case .wrongChecksum = try modelFileError({ try fetcher().verify(entry) }) else {
      Issue.record("expected a wrong checksum")
      return
    }
  }

  @Test("A program that is not installed is named")
  func missingProgram() throws {
    let entry = try entry("http://127.0.0.1/test.gguf")
    let error = try modelFileError {
      try fetcher(environment: ["PATH": folder.path]).fetch(entry)
    }
    #expect(
      error == .missingProgram(name: "curl", purpose: "to download models"))
  }
}
