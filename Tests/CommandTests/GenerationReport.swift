import Testing

/// What `generate --json` prints, as scripts rely on it.
struct GenerationReport: Decodable {
  struct Statistics: Decodable {
    var rounds: Int
    var drafted: Int
    var accepted: Int
    /// τ: tokens per round.
    var acceptanceLength: Double
    var draftSeconds: Double
    var verifySeconds: Double
  }

  var text: String
  var tokenIds: [Int32]
  var promptTokens: Int
  var tokens: Int
  var promptSeconds: Double
  var seconds: Double
  var tokensPerSecond: Double
  var statistics: Statistics
}

/// Runs `nunchi generate MODEL … --json` on the test model.
func generateJSON(
  _ arguments: [String], input: (any Sequence<UInt8>)? = nil, environment: [String: String] = [:]
) async throws -> GenerationReport {
  let run = try await nunchi(
    ["generate", CommandTests.model, "--json"] + arguments, input: input,
    environment: environment)
  try #require(run.code == 0, "\(run.errors)")
  #expect(run.errors == "")
  return try run.json(GenerationReport.self)
}
