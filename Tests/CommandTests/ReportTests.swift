import Foundation
import Testing

/// What `tokenize --json` prints.
struct TokenizeReport: Decodable {
  var ids: [Int32]
  var pieces: [String]
  var tokens: Int
  var characters: Int
  var bytes: Int
}

extension CommandTests {
  @Suite struct Reports {
    init() async throws { try await CommandTests.fetchModel() }

    private struct Speed: Decodable {
      struct Point: Decodable {
        var rows: Int
        var milliseconds: Double
        var ratio: Double
      }

      var promptTokensPerSecond: Double
      var generationTokensPerSecond: Double
      var memoryBandwidthShare: Double
      var verify: [Point]
    }

    private static let quick = [
      "bench", "speed", CommandTests.model, "-p", "16", "-n", "4", "--verify", "1,2", "--context",
      "16", "--rounds", "1",
    ]

    @Test("bench speed --json prints speeds, the share of the bandwidth and V(k)")
    func speed() async throws {
      let run = try await nunchi(Self.quick + ["--json"])
      #expect(run.code == 0)
      #expect(run.errors == "")
      #expect(
        try run.jsonKeys().isSuperset(of: [
          "prompt_tokens_per_second", "generation_tokens_per_second", "memory_bandwidth_share",
          "verify",
        ]))
      let report = try run.json(Speed.self)
      #expect(report.promptTokensPerSecond > 0)
      #expect(report.generationTokensPerSecond > 0)
      #expect(report.memoryBandwidthShare > 0)
      #expect(report.verify.map(\.rows) == [1, 2])
      let (one, two) = (try #require(report.verify.first), try #require(report.verify.last))
      #expect(one.milliseconds > 0)
      #expect(one.ratio == 1)
      #expect(abs(two.ratio - two.milliseconds / one.milliseconds) < 1e-9)
    }

    @Test("bench speed for people has a row for every thread count")
    func speedTable() async throws {
      let run = try await nunchi(Self.quick + ["-t", "1,2"])
      #expect(run.code == 0)
      let lines = run.output.split(separator: "\n")
      let first = try #require(lines.firstIndex { $0.hasPrefix("threads") })
      #expect(lines[first].contains("prompt 16"))
      #expect(lines[first].contains("generation 4"))
      #expect(lines[first + 1].hasPrefix("1 "))
      #expect(lines[first + 2].hasPrefix("2 "))
    }

    @Test("models list names the default model with its size, checksum and place")
    func list() async throws {
      struct Model: Decodable {
        var name: String
        var size: Int
        var licence: String
        var sha256: String
        var path: String
        var status: String
        var categories: [String]
      }
      let run = try await nunchi(["models", "list", "--json"])
      #expect(run.code == 0)
      let model = try #require(
        try run.json([Model].self).first { $0.name == CommandTests.model })
      #expect(model.size == 98_362_432)
      #expect(model.licence == "Apache-2.0")
      #expect(model.sha256.wholeMatch(of: /[0-9a-f]{64}/) != nil)
      #expect(model.status == "present")
      #expect(model.categories.contains("size-comparison"))

      let path = try await nunchi(["models", "path", CommandTests.model])
      #expect(path.code == 0)
      #expect(path.output == model.path + "\n")
      let attributes = try FileManager.default.attributesOfItem(atPath: model.path)
      #expect(attributes[.size] as? Int == model.size)

      let table = try await nunchi(["models"])
      #expect(table.output.contains(CommandTests.model))
      #expect(table.output.contains("98.4 MB"))
    }

    @Test("models list --category chooses, and models verify checks the file")
    func verify() async throws {
      let korean = try await nunchi(["models", "list", "--category", "korean"])
      #expect(korean.code == 0)
      #expect(korean.output.contains("Gemma-3-270M"))
      #expect(!korean.output.contains(CommandTests.model))
      let verified = try await nunchi(["models", "verify", CommandTests.model])
      #expect(verified.code == 0)
      #expect(verified.output == "\(CommandTests.model): ok\n")
      #expect(verified.errors == "")
    }

    @Test("models verify tells which file is not what the catalogue says")
    func wrongFile() async throws {
      try await withTemporaryFolder { folder in
        let models = folder.appendingPathComponent("models")
        try FileManager.default.createDirectory(at: models, withIntermediateDirectories: true)
        let file = try await nunchi(["models", "path", CommandTests.model]).output
        let name = URL(fileURLWithPath: file.trimmingCharacters(in: .newlines)).lastPathComponent
        try Data("GGUF".utf8).write(to: models.appendingPathComponent(name))
        let run = try await nunchi(
          ["models", "verify", CommandTests.model], environment: ["NUNCHI_CACHE": folder.path])
        #expect(run.code == 1)
        #expect(run.output == "")
        #expect(run.errors.hasPrefix("Error: "))
        #expect(run.errors.contains(name))
        #expect(run.errors.split(separator: "\n").count == 1)
      }
    }

    @Test("inspect names what ends a text, and a tokenizer's warnings are written once")
    func endTokens() async throws {
      struct Report: Decodable {
        struct Token: Decodable, Equatable {
          var id: Int
          var text: String?
        }
        var endTokens: [Token]
      }
      try await withTemporaryFolder { folder in
        func write(_ name: String, _ text: String) throws {
          try Data(text.utf8).write(to: folder.appendingPathComponent(name))
        }
        try write(
          "tokenizer.json",
          """
          {"added_tokens":[{"id":2,"content":"<stop>","special":true}],
          "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
          "model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]}}
          """)
        try write("tokenizer_config.json", #"{"pad_token": "[PAD]"}"#)
        try write("special_tokens_map.json", #"{"eos_token": "<stop>"}"#)
        try write("generation_config.json", #"{"eos_token_id": [1, 7]}"#)
        try write("config.json", #"{"model_type": "llama"}"#)
        let header = #"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  "#
        var tensors = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
        tensors += Data(header.utf8) + Data(count: 4)
        try tensors.write(to: folder.appendingPathComponent("model.safetensors"))

        let run = try await nunchi(["inspect", folder.path, "--json"])
        #expect(run.code == 0, "\(run.errors)")
        #expect(
          try run.json(Report.self).endTokens == [
            .init(id: 1, text: "b"), .init(id: 2, text: "<stop>"), .init(id: 7, text: nil),
          ])
        let table = try await nunchi(["inspect", folder.path]).output
        #expect(table.contains("ends a text") && table.contains("2 <stop>"))
        let warning = "Warning: \(folder.path): tokenizer_config.json.pad_token: expected a piece"
        #expect(run.errors.components(separatedBy: warning).count == 2, "\(run.errors)")
        let tokens = try await nunchi(["tokenize", folder.path, "ab"])
        #expect(tokens.code == 0 && tokens.errors.contains("[PAD]"))
      }
    }

    @Test("inspect --json tells the model's shape")
    func inspect() async throws {
      struct Summary: Decodable {
        var architecture: String
        var parameters: Int
        var layers: Int
        var hiddenSize: Int
        var vocabularySize: Int
        var weightBytes: Int
        var chatTemplate: String
      }
      let run = try await nunchi(["inspect", CommandTests.model, "--json"])
      #expect(run.code == 0)
      let summary = try run.json(Summary.self)
      #expect(summary.architecture == "llama")
      #expect(summary.parameters == 134_515_008)
      #expect(summary.layers == 30)
      #expect(summary.hiddenSize == 576)
      #expect(summary.vocabularySize == 49_152)
      #expect((90_000_000..<98_362_432).contains(summary.weightBytes))

      let template = try await nunchi(["inspect", CommandTests.model, "--chat-template"])
      #expect(template.output == summary.chatTemplate + "\n")
      let table = try await nunchi(["inspect", CommandTests.model])
      #expect(table.output.contains("134,515,008"))
    }

    @Test("the tokens of a text in several scripts hold all of its bytes")
    func tokenize() async throws {
      let text = "눈치가 빠르다. I'm 3.14 🦜 — こんにちは\n\tend"
      let run = try await nunchi(["tokenize", CommandTests.model, text, "--json"])
      #expect(run.code == 0)
      let report = try run.json(TokenizeReport.self)
      #expect(report.tokens == report.ids.count)
      #expect(report.pieces.count == report.ids.count)
      #expect(report.characters == text.unicodeScalars.count)
      #expect(report.bytes == text.utf8.count)
      #expect(try bytes(ofPieces: report.pieces) == Array(text.utf8))

      let standard = try await nunchi(["tokenize", CommandTests.model, "--json"], input: text.utf8)
      #expect(try standard.json(TokenizeReport.self).ids == report.ids)

      let table = try await nunchi(["tokenize", CommandTests.model, text])
      let rows = table.output.split(separator: "\n").dropFirst().dropLast()
      #expect(rows.count == report.tokens)
      #expect(rows.compactMap { $0.split(separator: " ").first }.map { Int32($0) } == report.ids)
    }

    @Test("special tokens are read in a text unless --no-special is given")
    func specialTokens() async throws {
      func ids(_ arguments: [String]) async throws -> [Int32] {
        let all = ["tokenize", CommandTests.model, "<|im_start|>", "--json"] + arguments
        return try await nunchi(all).json(TokenizeReport.self).ids
      }
      #expect(try await ids([]) == [1])
      #expect(try await ids(["--no-special"]).count > 1)
    }

    @Test("the demo's speculative output is identical to the plain one")
    func demo() async throws {
      struct Report: Decodable {
        struct Row: Decodable {
          var name: String
          var tokens: Int
          var rounds: Int
          var speedup: Double
          var lowestSpeedup: Double
          var highestSpeedup: Double
          var acceptanceLength: Double
          var outputIdentical: Bool
        }

        var drafter: String
        var rows: [Row]
      }
      let run = try await nunchi(["demo", "--json", "--max-tokens", "16", "--rounds", "2"])
      #expect(run.code == 0)
      #expect(run.errors == "")
      let report = try run.json(Report.self)
      #expect(report.drafter == "auto")
      #expect(report.rows.map(\.name) == ["chat", "edit", "code"])
      for row in report.rows {
        #expect(row.outputIdentical)
        #expect((2...16).contains(row.tokens))
        #expect(row.rounds == 2 && row.lowestSpeedup > 0)
        #expect((row.lowestSpeedup...row.highestSpeedup).contains(row.speedup))
      }
      // Copying a text is what prompt lookup is for.
      #expect(report.rows[1].acceptanceLength > 1.5)
    }

    /// The bytes that pieces of a byte-level vocabulary stand for: bytes that are no visible
    /// characters of Latin-1 are written as the characters from U+0100 on, in order.
    private func bytes(ofPieces pieces: [String]) throws -> [UInt8] {
      let visible = Array(33...126) + Array(161...172) + Array(174...255)
      let hidden = (0...255).filter { !visible.contains($0) }
      return try pieces.joined().unicodeScalars.map { scalar in
        let code = Int(scalar.value)
        if code < 256 { return UInt8(code) }
        try #require(hidden.indices.contains(code - 256))
        return UInt8(hidden[code - 256])
      }
    }
  }
}
