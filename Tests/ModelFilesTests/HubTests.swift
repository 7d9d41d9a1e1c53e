import Foundation
import Synchronization
import Testing

@testable import ModelFiles

@Suite struct HubTests {
  private let folder: TemporaryFolder
  private let gguf: [UInt8]
  private static let name = "hf:\(HubServer.repository)"

  init() throws {
    folder = try TemporaryFolder()
    var generator = SeededGenerator(seed: 11)
    gguf = Array("GGUF".utf8) + (0..<200_000).map { _ in .random(in: 0...255, using: &generator) }
  }

  private func fetcher(
    _ server: HubServer, _ environment: [String: String] = [:], freeSpace: Int = .max
  ) -> ModelFetcher {
    var variables = ProcessInfo.processInfo.environment
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "NUNCHI_CATALOGUE"] { variables[name] = nil }
    variables["HOME"] = folder.path
    variables["NUNCHI_CACHE"] = folder.path
    variables["HF_ENDPOINT"] = "\(server.hub.url)/"
    return ModelFetcher(
      environment: variables.merging(environment) { $1 }, freeSpace: { _ in freeSpace },
      retryDelay: .milliseconds(10), attempts: 3)
  }

  private func text(_ text: String) -> HubServer.File { HubServer.File(content: Array(text.utf8)) }

  private func large(_ content: [UInt8]) -> HubServer.File {
    HubServer.File(content: content, isLarge: true)
  }

  /// A repository with weights in two files, and what nobody needs.
  private var modelFolder: [String: HubServer.File] {
    [
      "config.json": text(#"{"model_type": "llama"}"#), "tokenizer.json": large(gguf),
      "tokenizer_config.json": text("{}"), "generation_config.json": text("{ }"),
      "chat_template.jinja": text("{{ messages }}\n"),
      "model-00001-of-00002.safetensors": large(gguf + [1]),
      "model-00002-of-00002.safetensors": large(gguf + [2]),
      "model.safetensors.index.json": text(
        #"""
        {"weight_map": {"a": "model-00001-of-00002.safetensors",
                        "b": "model-00002-of-00002.safetensors"}}
        """#),
      "pytorch_model.bin": large([1, 2, 3]), "README.md": text("hello"),
      "original/consolidated.safetensors": large([4]), "onnx/model.onnx": large([5]),
    ]
  }

  private func fetch(
    _ name: String, _ server: HubServer, _ environment: [String: String] = [:],
    sha256: String? = nil
  ) throws -> ModelLocation {
    try fetcher(server, environment).fetch(HubReference(name), sha256: sha256)
  }

  /// The files of the cache that belong to models, by their place in it.
  private var files: [String] {
    let all = FileManager.default.enumerator(atPath: "\(folder.path)/models")
    return (all?.compactMap { $0 as? String } ?? []).filter {
      PartFile.size(at: "\(folder.path)/models/\($0)") != nil && !$0.hasSuffix("/.nunchi.json")
    }.sorted()
  }

  private func contents(_ path: String) -> [UInt8]? {
    FileManager.default.contents(atPath: path).map { Array($0) }
  }

  // MARK: - What is fetched

  @Test("A GGUF file is fetched once by its name at the hub, and found by it")
  func file() throws {
    let server = try HubServer(["folder/m.Q8_0.gguf": large(gguf), "other.gguf": large([1])])
    defer { server.stop() }
    let name = "\(Self.name)/folder/m.Q8_0.gguf"
    let fetcher = fetcher(server)
    let before = try modelFileError {
      _ = try ModelLocation.resolve(name, environment: fetcher.environment)
    }
    #expect("\(before)".contains("nunchi models fetch \(name)"), "\(before)")
    var reports: [FetchProgress] = []
    let location = try fetcher.fetch(HubReference(name)) { reports.append($0) }
    guard case .gguf(let path) = location else {
      Issue.record("\(location)")
      return
    }
    #expect(contents(path) == gguf)
    #expect(files == ["hf/owner/small-model.1/folder/m.Q8_0.gguf"])
    #expect(reports.last { $0.phase == .downloading }?.bytes == gguf.count)
    #expect(reports.last?.total == gguf.count && reports.last?.phase == .verifying)
    #expect(reports.allSatisfy { $0.name == name })
    let asked = server.hub.requests.count
    #expect(try fetcher.fetch(HubReference(name)) == location)
    // The hub's names are the same in upper and lower case.
    let other = name.replacing("Owner/Small", with: "owner/SMALL")
    #expect(try ModelLocation.resolve(other, environment: fetcher.environment) == location)
    #expect(server.hub.requests.count == asked)
  }

  @Test("A folder is fetched with what belongs to its weights, and nothing else")
  func wholeFolder() throws {
    let server = try HubServer(modelFolder)
    defer { server.stop() }
    let fetcher = fetcher(server)
    var reports: [FetchProgress] = []
    let location = try fetcher.fetch(HubReference(Self.name)) { reports.append($0) }
    guard case .huggingFace(let path) = location else {
      Issue.record("\(location)")
      return
    }
    let wanted = modelFolder.filter {
      !$0.key.contains("/") && !["README.md", "pytorch_model.bin"].contains($0.key)
    }
    #expect(files == wanted.keys.sorted().map { "hf/owner/small-model.1/\($0)" })
    for (name, file) in wanted { #expect(contents("\(path)/\(name)") == file.content) }
    #expect(try ModelLocation.resolve(Self.name, environment: fetcher.environment) == location)
    let total = wanted.values.reduce(0) { $0 + $1.content.count }
    #expect(reports.last?.bytes == total && reports.last?.total == total)
    // All pages of the list were asked for.
    #expect(server.hub.requests.filter { $0.path.contains("/tree/") }.count == 6)
    try fetcher.verify(.hub(HubReference(Self.name)))
  }

  @Test("Weights in one file need no index")
  func singleWeights() throws {
    var repository = modelFolder.filter { !$0.key.contains("model") }
    repository["model.safetensors"] = large(gguf)
    let server = try HubServer(repository)
    defer { server.stop() }
    guard case .huggingFace(let path) = try fetch(Self.name, server) else {
      Issue.record("expected a folder")
      return
    }
    #expect(contents("\(path)/model.safetensors") == gguf)
  }

  @Test("Without a file the only GGUF counts, then the only Q4_K_M, else the files are listed")
  func choice() throws {
    let server = try HubServer(["m-Q8_0.gguf": large(gguf), "mmproj-F16.gguf": large([1])])
    defer { server.stop() }
    #expect(try fetch(Self.name, server).path.hasSuffix("/m-Q8_0.gguf"))
    try fetcher(server).remove(.hub(HubReference(Self.name)))
    server.update { $0.files["m-Q4_K_M.gguf"] = large(gguf + [1]) }
    #expect(try fetch(Self.name, server).path.hasSuffix("/m-Q4_K_M.gguf"))
    try fetcher(server).remove(.hub(HubReference(Self.name)))
    server.update { $0.files["v2/m-Q4_K_M.gguf"] = large(gguf + [2]) }
    let error = try modelFileError { _ = try fetch(Self.name, server) }
    #expect("\(error)".contains("v2/m-Q4_K_M.gguf (200005 bytes)"), "\(error)")
    #expect(!"\(error)".contains("mmproj"))
    #expect(files.isEmpty)
  }

  @Test("What is no model, or in several parts, is refused with what there is")
  func noModel() throws {
    let server = try HubServer([
      "a-00001-of-00002.gguf": large([1]), "a-00002-of-00002.gguf": large([2]),
      "README.md": text("x"),
    ])
    defer { server.stop() }
    func says(_ name: String) throws -> String {
      "\(try modelFileError { _ = try fetch(name, server) })"
    }
    #expect(try says(Self.name).contains("found neither among 3 files"))
    #expect(try says("\(Self.name)/a-00001-of-00002.gguf").contains("several parts"))
    #expect(try says("\(Self.name)/README.md").contains("expected a .gguf file"))
    #expect(try says("\(Self.name)/absent.gguf").contains("found none; it has a-00001-of"))
  }

  @Test("A revision is kept apart from others, and an unknown one is named")
  func revisions() throws {
    let server = try HubServer(["m.gguf": large(gguf)]) { $0.revisions = ["main", "v1.0"] }
    defer { server.stop() }
    let main = try fetch("\(Self.name)/m.gguf", server)
    #expect(try fetch("\(Self.name)@main/m.gguf", server) == main)
    let tagged = try fetch("\(Self.name)@v1.0/m.gguf", server)
    #expect(tagged != main && contents(tagged.path) == gguf)
    let error = try modelFileError { _ = try fetch("\(Self.name)@v2", server) }
    #expect("\(error)".contains("no revision 'v2'"), "\(error)")
  }

  // MARK: - The token

  @Test(
    "The token goes to the hub alone, whichever variable holds it",
    arguments: ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
  func token(variable: String) throws {
    let server = try HubServer(modelFolder) { $0.access = .gated }
    defer { server.stop() }
    _ = try fetch(Self.name, server, [variable: " hf_good\n"])
    #expect(
      server.hub.requests.allSatisfy { $0.headers["authorization"] == "Bearer hf_good" })
    #expect(server.storage.requests.count == 3)
    #expect(server.storage.requests.allSatisfy { $0.headers["authorization"] == nil })
  }

  @Test("Another server that the hub's list goes on at does not see the token")
  func foreignPages() throws {
    let other = try HubServer(["m.gguf": large(gguf)]) { $0.pageSize = 0 }
    defer { other.stop() }
    let server = try HubServer(["a": text("1"), "b": text("2"), "m.gguf": large(gguf)]) {
      $0.nextPages = other.hub.url
    }
    defer { server.stop() }
    #expect(throws: ModelFileError.self) {
      _ = try fetch("\(Self.name)/m.gguf", server, ["HF_TOKEN": "hf_good"])
    }
    #expect(!other.hub.requests.isEmpty)
    #expect(other.hub.requests.allSatisfy { $0.headers["authorization"] == nil })
  }

  @Test(
    "A refusal says in a line what to do",
    arguments: [
      (HubServer.Access.gated, nil, ["gated", "accept its conditions at ", "set HF_TOKEN"]),
      (.gated, "hf_other", ["gated", "no access", "ask for it at "]),
      (.hidden, nil, ["no such repository, or it is private", "set HF_TOKEN"]),
      (.hidden, "hf_other", ["no such repository, or it is private", "account"]),
      (.open, "hf_wrong", ["the token in HF_TOKEN is not accepted", "/settings/tokens"]),
    ] as [(HubServer.Access, String?, [String])])
  func refusals(access: HubServer.Access, token: String?, says: [String]) throws {
    let server = try HubServer(["m.gguf": large(gguf)]) { $0.access = access }
    defer { server.stop() }
    let error = try modelFileError {
      _ = try fetch(Self.name, server, token.map { ["HF_TOKEN": $0] } ?? [:])
    }
    for part in says { #expect("\(error)".contains(part), "\(error)") }
    #expect(!"\(error)".contains("\n") && "\(error)".hasPrefix(Self.name))
    #expect(token.map { !"\(error)".contains($0) } ?? true)
    #expect(files.isEmpty)
  }

  @Test("A token or an address that is none is told, without the token")
  func environment() throws {
    let server = try HubServer(["m.gguf": large(gguf)])
    defer { server.stop() }
    let token = try modelFileError {
      _ = try fetch(Self.name, server, ["HF_TOKEN": "hf_good\nX-Evil: 1"])
    }
    #expect("\(token)".hasPrefix("HF_TOKEN: token: expected one word"), "\(token)")
    #expect(!"\(token)".contains("hf_good"))
    for address in ["huggingface.co", "ftp://a", "https://user:password@a", "https://a/?b"] {
      let error = try modelFileError {
        _ = try fetch(Self.name, server, ["HF_ENDPOINT": address])
      }
      #expect("\(error)".hasPrefix("HF_ENDPOINT: "), "\(error)")
    }
    #expect(server.hub.requests.isEmpty)
  }

  // MARK: - What goes wrong

  @Test("A connection that is cut again and again is resumed where it stopped")
  func cuts() throws {
    let server = try HubServer(["m.gguf": large(gguf)])
    defer { server.stop() }
    server.storage.change { $0.cutAfter = 70_000 }
    let location = try fetch(Self.name, server)
    #expect(contents(location.path) == gguf)
    #expect(
      server.contentRequests.map { $0.headers["range"] } == [nil, "bytes=70000-", "bytes=140000-"])
  }

  @Test("An interrupted folder is told as partial, and goes on with what is missing")
  func interrupted() throws {
    let server = try HubServer(modelFolder)
    defer { server.stop() }
    let fetcher = fetcher(server)
    let model = NamedModel.hub(try HubReference(Self.name))
    server.storage.change {
      $0.answer = { $0.path.hasPrefix("/model-00002") ? .init(status: "500 Broken") : nil }
    }
    let error = try modelFileError { try fetcher.fetch(model) }
    #expect("\(error)".contains("500"), "\(error)")
    let state = fetcher.state(of: model)
    #expect(state.bytes > 400_000 && state.status == .partial(state.bytes))
    #expect(state.size == state.bytes + gguf.count + 1)
    #expect(throws: ModelFileError.self) {
      try ModelLocation.resolve(Self.name, environment: fetcher.environment)
    }
    server.storage.change { $0.answer = nil }
    let asked = server.storage.requests.count
    try fetcher.fetch(model)
    #expect(server.storage.requests.dropFirst(asked).map(\.path).count == 1)
    #expect(fetcher.state(of: model).status == .present)
  }

  @Test(
    "Content other than the hub's checksum says is refused, and nothing is left of it",
    arguments: ["m.gguf", "tokenizer_config.json"])
  func wrongContent(name: String) throws {
    let isLarge = name == "m.gguf"
    let server = try HubServer(
      isLarge ? ["m.gguf": large(gguf)] : modelFolder.merging([:]) { $1 })
    defer { server.stop() }
    if isLarge {
      server.storeInstead(gguf.reversed(), of: name)
    } else {
      let cache = server.hub
      cache.change { behaviour in
        let usual = behaviour.answer
        behaviour.answer = { request in
          request.path.contains("resolve-cache") && request.path.contains(name)
            ? .init(body: Array("[]".utf8)) : usual?(request)
        }
      }
    }
    let error = try modelFileError { _ = try fetch(Self.name, server) }
    guard case .wrongChecksum(let path, let expected, _) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(path.hasSuffix("\(name).part") && expected.count == (isLarge ? 64 : 40))
    #expect(!files.contains { $0.contains(name) })
  }

  @Test(
    "Content that is longer or shorter than the hub says is refused", arguments: [-1, 1, 9_999_999])
  func wrongSize(difference: Int) throws {
    let server = try HubServer(["m.gguf": large(gguf)])
    defer { server.stop() }
    server.storeInstead(
      difference < 0 ? gguf.dropLast() : gguf + Array(repeating: 0, count: difference),
      of: "m.gguf")
    let error = try modelFileError { _ = try fetch(Self.name, server) }
    #expect("\(error)".contains("expected \(gguf.count) bytes, found"), "\(error)")
    // Where the hub sends us to holds a signature.
    #expect(!"\(error)".contains("secret"))
    #expect(!files.contains { $0.hasSuffix(".gguf") })
  }

  @Test("A full disk is told before any content is asked for")
  func fullDisk() throws {
    let server = try HubServer(["m.gguf": large(gguf)])
    defer { server.stop() }
    let error = try modelFileError {
      try fetcher(server, freeSpace: gguf.count - 1).fetch(HubReference(Self.name))
    }
    #expect(
      error
        == .diskFull(
          path: "\(folder.path)/models/hf/owner/small-model.1", needed: gguf.count,
          free: gguf.count - 1))
    #expect(server.storage.requests.isEmpty)
  }

  @Test("A checksum of one's own is compared with the hub's, and with what is there")
  func ownChecksum() throws {
    let server = try HubServer(modelFolder.merging(["m.gguf": large(gguf)]) { $1 })
    defer { server.stop() }
    let path = try folder.write(gguf, as: "copy")
    let right = try sha256(ofFile: path).uppercased()
    let wrong = String(repeating: "0", count: 64)
    let name = "\(Self.name)/m.gguf"
    func expectWrong() throws {
      let error = try modelFileError { _ = try fetch(name, server, sha256: wrong) }
      guard case .wrongChecksum(_, wrong, right.lowercased()) = error else {
        Issue.record("\(error)")
        return
      }
    }
    try expectWrong()
    #expect(server.storage.requests.isEmpty)
    _ = try fetch(name, server, sha256: right)
    _ = try fetch(name, server, sha256: right)
    try expectWrong()
    #expect(throws: ModelFileError.self) { _ = try fetch(Self.name, server, sha256: right) }
  }

  @Test("A fetch ends when its task is cancelled, and goes on later", .timeLimit(.minutes(5)))
  func cancelled() async throws {
    let server = try HubServer(["m.gguf": large(gguf)])
    defer { server.stop() }
    server.storage.change { $0.stallAfter = 100_000 }
    let fetcher = fetcher(server)
    let (bytes, arrived) = AsyncStream<Int>.makeStream()
    let task = Task {
      try await fetcher.fetch(named: Self.name) { arrived.yield($0.bytes) }
    }
    // curl keeps some kilobytes to itself.
    for await count in bytes where count >= 70_000 { break }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    let model = NamedModel.hub(try HubReference(Self.name))
    let count = fetcher.state(of: model).bytes
    #expect(fetcher.state(of: model).status == .partial(count) && count >= 70_000)
    server.storage.change { $0.stallAfter = nil }
    let location = try await fetcher.fetch(named: Self.name)
    #expect(contents(location.path) == gguf)
    #expect(server.contentRequests.last?.headers["range"] == "bytes=\(count)-")
  }

  @Test("Files of an earlier commit are fetched anew, and those that are the same are kept")
  func newCommit() throws {
    let server = try HubServer(modelFolder)
    defer { server.stop() }
    let fetcher = fetcher(server)
    let reference = try HubReference(Self.name)
    let location = try fetcher.fetch(reference)
    try FileManager.default.removeItem(atPath: "\(location.path)/tokenizer_config.json")
    server.update {
      $0.commit = String(repeating: "d1", count: 20)
      $0.files["config.json"] = text(#"{"model_type": "LLAMA"}"#)
    }
    let asked = server.storage.requests.count
    try fetcher.fetch(reference)
    #expect(contents("\(location.path)/config.json") == Array(#"{"model_type": "LLAMA"}"#.utf8))
    #expect(server.storage.requests.count == asked)
  }

  @Test("Two fetches of one model at a time download it once")
  func concurrent() async throws {
    let server = try HubServer(["m.gguf": large(gguf)])
    defer { server.stop() }
    let fetcher = fetcher(server)
    try await withThrowingTaskGroup(of: ModelLocation.self) { group in
      for _ in 0..<2 { group.addTask { try await fetcher.fetch(named: Self.name) } }
      for try await location in group { #expect(contents(location.path) == gguf) }
    }
    #expect(server.contentRequests.count == 1)
  }

  @Test("Removing a model leaves what another one needs, and then nothing")
  func removal() throws {
    let server = try HubServer(modelFolder.merging(["m.gguf": large(gguf)]) { $1 })
    defer { server.stop() }
    let fetcher = fetcher(server)
    let both = try [Self.name, "\(Self.name)/m.gguf"].map { NamedModel.hub(try HubReference($0)) }
    for model in both { try fetcher.fetch(model) }
    #expect(fetcher.models(of: ModelCatalogue(entries: [])) == both)
    try fetcher.remove(both[0])
    #expect(files == ["hf/owner/small-model.1/m.gguf"])
    try fetcher.verify(both[1])
    try fetcher.remove(both[1])
    #expect(files.isEmpty && fetcher.models(of: ModelCatalogue(entries: [])).isEmpty)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/models/hf"))
    #expect(throws: ModelFileError.self) { try fetcher.remove(both[1]) }
  }

  @Test("verify tells a file that was changed after it came")
  func damaged() throws {
    let server = try HubServer(["m.gguf": large(gguf)])
    defer { server.stop() }
    let fetcher = fetcher(server)
    let model = NamedModel.hub(try HubReference(Self.name))
    let location = try fetcher.fetch(model)
    #expect(try fetcher.verifiedState(of: model).checksum == .right)
    try Data(gguf.reversed()).write(to: URL(fileURLWithPath: location.path))
    #expect(try fetcher.verifiedState(of: model).checksum == .wrong)
    try Data(gguf.dropLast()).write(to: URL(fileURLWithPath: location.path))
    #expect(fetcher.state(of: model).status == .wrongSize(gguf.count - 1))
    #expect(throws: ModelFileError.self) { try fetcher.verify(model) }
  }

  // MARK: - Names

  @Test("git's name of a file is its checksum")
  func gitBlob() throws {
    let path = try folder.write("hello\n", as: "hello")
    let fetcher = ModelFetcher(cache: ModelCache(folder: folder.path))
    try fetcher.check(.gitBlob("ce013625030ba8dba906f756967f9e9ca394464a"), of: path)
  }

  @Test(
    "A name that could mean another place is refused",
    arguments: [
      "hf:", "hf:a", "hf:/b", "hf:a/", "hf:../b", "hf:a/..", "hf:a/.", "hf:./b", "hf:.a/b",
      "hf:a./b", "hf:-a/b", "hf:a/b-", "hf:a..b/c", "hf:a/b c", "hf:a\\b/c", "hf:a/b%2e%2e",
      "hf:a/b?x", "hf:a/b#x", "hf:a:b/c", "hf:a@x/b", "hf:a/b@", "hf:a/b@../x", "hf:a/b@a@b",
      "hf:а/b", "hf:a\u{200D}b/c", "hf:a/b\u{202E}", "hf:a/\(String(repeating: "x", count: 97))",
      "hf:a/b/", "hf:a/b//c.gguf", "hf:a/b/../c.gguf", "hf:a/b/c/../../../d.gguf",
      "hf:a/b/./c.gguf", "hf:a/b/.hidden.gguf", "hf:a/b/c\\d.gguf", "hf:a/b/c d.gguf",
      "hf:a/b/c\nd.gguf", "hf:a/b/c\0.gguf", "hf:a/b/\u{202E}ggu.gguf", "hf:a/b/x\u{200B}.gguf",
      "hf:a/b/\u{FEFF}.gguf", "hf:a/b/-x.gguf", "HF:a/b", "a/b",
    ])
  func hostileNames(name: String) throws {
    let error = try modelFileError { _ = try HubReference(name) }
    #expect("\(error)".contains("expected "), "\(error)")
    #expect(!"\(error)".unicodeScalars.contains { $0.value < 32 || $0.value == 0x202E })
  }

  @Test(
    "Ordinary names are read and written the same",
    arguments: [
      "hf:a/b", "hf:Qwen/Qwen2.5-0.5B-Instruct", "hf:a_b/c.d-e@v1.0", "hf:a/b/c.gguf",
      "hf:a/b@0123abc/dir/한국어-모델.Q4_K_M.gguf", "hf:a/b/x@y+z(1).gguf",
    ])
  func ordinaryNames(name: String) throws {
    let reference = try HubReference(name)
    #expect(reference.description == name)
    #expect(ModelSource(name) == (reference.file == nil ? nil : .huggingFace(reference)))
  }

  @Test("Names in a repository's list and index that lead elsewhere are refused")
  func hostileRepository() throws {
    let outside = "../../../../escaped.safetensors"
    var repository = modelFolder
    repository[outside] = large(gguf)
    repository["model.safetensors.index.json"] = text(#"{"weight_map": {"a": "\#(outside)"}}"#)
    let server = try HubServer(repository)
    defer { server.stop() }
    let error = try modelFileError { _ = try fetch(Self.name, server) }
    #expect("\(error)".contains("weight_map: expected *.safetensors files"), "\(error)")
    server.update {
      $0.files = ["../x.gguf": large(gguf), "a\u{202E}.gguf": large(gguf), ".y.gguf": large([1])]
    }
    let none = try modelFileError { _ = try fetch(Self.name, server) }
    #expect("\(none)".contains("found neither among 3 files"), "\(none)")
    #expect(folder.names == ["models"])
  }

  @Test("A name without hf: is taken for a path, and the error says what was meant")
  func forgottenScheme() throws {
    let error = try modelFileError { _ = try ModelLocation.resolve("Owner/Repo-1.5B") }
    #expect("\(error)".contains("is called hf:Owner/Repo-1.5B"), "\(error)")
  }
}
