import AnsweringServer
import Foundation
import ModelFiles
import Nunchi
import Synchronization
import Testing

@Suite struct HubModelTests {
  @Test("A model is loaded by its name at the hub, and what comes is told in bytes")
  func load() async throws {
    _ = try await TestModels.smol.value
    let entry = try ModelCatalogue.builtIn.entry(named: "SmolLM2-135M")
    let path = ModelCache.standard().path(of: entry)
    let content = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
    let server = try AnsweringServer.hub(
      file: "q4.gguf", content: content, sha256: entry.sha256)
    defer { server.stop() }
    let cache = FileManager.default.temporaryDirectory
      .appendingPathComponent("nunchi-hub-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: cache) }
    var environment = ProcessInfo.processInfo.environment
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] { environment[name] = nil }
    environment["HF_ENDPOINT"] = server.url
    environment["NUNCHI_CACHE"] = cache
    let reports = Mutex<[ModelProgress]>([])
    let model = try await Model.load(
      "hf:owner/repo", fetcher: ModelFetcher(environment: environment)
    ) { progress in
      reports.withLock { $0.append(progress) }
    }
    #expect(model.name == "hf:owner/repo")
    #expect(model.tokenizer.vocabularySize == 49152)
    let all = reports.withLock { $0 }
    #expect(all.last == .loading(1))
    let fetched = all.compactMap { if case .fetching(let progress) = $0 { progress } else { nil } }
    #expect(fetched.contains { $0.bytes == entry.size && $0.total == entry.size })
    #expect(fetched.count > 3)
  }
}
