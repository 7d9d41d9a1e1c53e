import AnsweringServer
import Foundation
import Testing

extension CommandTests {
  @Suite struct Models {
    init() async throws { try await CommandTests.fetchModel() }

    private struct Row: Decodable {
      var name: String
      var status: String
      var path: String
      var size: Int?
      var bytes: Int?
      var sha256: String?
      var checksum: String?
      var sources: [String]?
    }

    private func cached() async throws -> Row {
      let run = try await nunchi(["models", "list", "--json"])
      return try #require(try run.json([Row].self).first { $0.name == CommandTests.model })
    }

    /// A hub with one repository, which holds the model that the tests have.
    private func hub(_ model: Row) throws -> AnsweringServer {
      let content = try Data(contentsOf: URL(fileURLWithPath: model.path), options: .alwaysMapped)
      let digest = try #require(model.sha256)
      return try AnsweringServer.hub(file: "q4.gguf", content: content, sha256: digest)
    }

    private static let prompt = ["Once upon a time", "--max-tokens", "4", "--drafter", "none"]

    @Test("a model of the hub is fetched by its name, generates by it, and is removed by it")
    func hub() async throws {
      let model = try await cached()
      let server = try hub(model)
      defer { server.stop() }
      try await withTemporaryFolder { folder in
        let environment = [
          "NUNCHI_CACHE": folder.path, "HF_ENDPOINT": server.url, "HF_TOKEN": "",
          "HUGGING_FACE_HUB_TOKEN": "",
        ]
        let name = "hf:owner/repo/q4.gguf"
        let before = try await nunchi(["generate", name] + Self.prompt, environment: environment)
        #expect(before.code == 1)
        #expect(before.errors.contains("nunchi models fetch \(name)"))

        let fetched = try await nunchi(["models", "fetch", name], environment: environment)
        #expect(fetched.code == 0, "\(fetched.errors)")
        let path = "\(folder.path)/models/hf/owner/repo/q4.gguf"
        #expect(fetched.output == path + "\n")
        let generated = try await nunchi(
          ["generate", name] + Self.prompt, environment: environment)
        #expect(generated.code == 0, "\(generated.errors)")
        let expected = try await nunchi(["generate", CommandTests.model] + Self.prompt)
        #expect(generated.output == expected.output && !expected.output.isEmpty)

        let status = try await nunchi(
          ["models", "status", name, "--verify", "--json"], environment: environment)
        let row = try #require(try status.json([Row].self).first)
        #expect(row.name == name && row.status == "present" && row.checksum == "right")
        #expect(row.path == path && row.size == model.size && row.bytes == model.size)
        let listed = try await nunchi(["models", "list", "--json"], environment: environment)
        let inList = try listed.json([Row].self).first { $0.name == name }
        #expect(inList?.sha256 == model.sha256 && inList?.sources == [name])

        let removed = try await nunchi(["models", "remove", name], environment: environment)
        #expect(removed.code == 0, "\(removed.errors)")
        #expect(!FileManager.default.fileExists(atPath: path))
        let absent = try await nunchi(
          ["models", "fetch", "hf:owner/absent"], environment: environment)
        #expect(absent.code == 1)
        #expect(absent.errors.contains("hf:owner/absent: download failed: there is no such"))
        #expect(absent.errors.split(separator: "\n").count == 1)
      }
    }

    @Test("a name is given to a file, works everywhere, and is taken away again")
    func local() async throws {
      let model = try await cached()
      try await withTemporaryFolder { folder in
        let environment = ["NUNCHI_CATALOGUE": "\(folder.path)/of mine/models.yaml"]
        let link = "\(folder.path)/own.gguf"
        try FileManager.default.createSymbolicLink(
          atPath: link, withDestinationPath: model.path)
        let added = try await nunchi(["models", "add", "Mine", link], environment: environment)
        #expect(added.code == 0, "\(added.errors)")
        let generated = try await nunchi(
          ["generate", "mine"] + Self.prompt, environment: environment)
        #expect(generated.code == 0, "\(generated.errors)")
        let status = try await nunchi(
          ["models", "status", "--json"], environment: environment)
        let row = try #require(try status.json([Row].self).first { $0.name == "Mine" })
        #expect(row.status == "present" && row.path == link && row.checksum == "unknown")
        let again = try await nunchi(["models", "add", "MINE", link], environment: environment)
        #expect(again.code == 1 && again.errors.contains("'MINE' again"))
        let removed = try await nunchi(["models", "remove", "Mine"], environment: environment)
        #expect(removed.code == 0, "\(removed.errors)")
        #expect(FileManager.default.fileExists(atPath: link))
        let after = try await nunchi(["models", "path", "Mine"], environment: environment)
        #expect(after.code == 1)
      }
    }

    @Test("models status has a row for every model, and says what is there")
    func status() async throws {
      try await withTemporaryFolder { folder in
        try FileManager.default.createDirectory(
          atPath: "\(folder.path)/models", withIntermediateDirectories: true)
        let part = "\(folder.path)/models/SmolLM2-135M-Instruct.Q4_1.gguf.part"
        try Data(repeating: 1, count: 1234).write(to: URL(fileURLWithPath: part))
        let environment = ["NUNCHI_CACHE": folder.path]
        let run = try await nunchi(["models", "status", "--json"], environment: environment)
        let rows = try run.json([Row].self)
        #expect(Set(rows.map(\.name)).isSuperset(of: ["SmolLM2-135M", "Gemma-3-270M"]))
        let row = try #require(rows.first { $0.name == CommandTests.model })
        #expect(row.status == "partial" && row.bytes == 1234 && row.size == 98_362_432)
        #expect(rows.first { $0.name == "Gemma-3-270M" }?.status == "missing")
        let table = try await nunchi(["models", "status"], environment: environment)
        #expect(table.output.contains("1.23 kB of 98.4 MB"))
      }
    }
  }
}
