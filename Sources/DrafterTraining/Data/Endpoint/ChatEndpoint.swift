import Foundation
import Tokenization

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// A server that answers conversations by OpenAI's API (`POST …/chat/completions`), such as vLLM.
public struct ChatEndpoint: Sendable {
  /// Of the API with its version: `http://host:8000/v1`.
  public let url: URL
  /// The name that the server knows the model by.
  public let model: String
  /// Sent as a bearer token.
  public var key: String?
  /// How often a request is tried before the server is given up.
  public var attempts = 8
  /// The wait before the second attempt; doubled after each further one.
  public var retryDelay: Duration = .seconds(1)
  /// The longest wait between two attempts, also when the server asks for a longer one.
  public var longestDelay: Duration = .seconds(120)
  /// Seconds without a byte of an answer.
  public var timeout = 600.0

  /// What came back.
  struct Answer: Sendable {
    var text: String
    /// `stop` or `length`, as the server says it.
    var finish: String?
    /// Tokens of the answer, if the server counts them.
    var tokens: Int?
  }

  /// A conversation that the server does not take, while it may take others.
  struct Refusal: Error {
    var reason: String
  }

  /// - Throws: `TrainingError.setting` for what is no address.
  public init(address: String, model: String, key: String? = nil) throws {
    guard let url = URL(string: address), ["http", "https"].contains(url.scheme),
      url.host?.isEmpty == false
    else {
      throw TrainingError.setting(
        name: "endpoint", expected: "an address such as http://host:8000/v1", found: address)
    }
    self.url = url
    self.model = model
    self.key = key
  }

  private struct Request: Encodable {
    var model: String
    var messages: [ChatMessage]
    var temperature: Double
    var topP: Double
    var maxTokens: Int
    var seed: UInt64
  }

  private struct Response: Decodable {
    struct Choice: Decodable {
      struct Message: Decodable {
        var content: String?
      }
      var message: Message
      var finishReason: String?
    }
    struct Usage: Decodable {
      var completionTokens: Int?
    }
    var choices: [Choice]
    var usage: Usage?
  }

  /// Asks for the next message. Waits and asks again when the server is busy or cannot be reached.
  /// - Throws: `Refusal` when the server does not take these messages, `TrainingError.endpoint`
  ///   when it gives no answers at all, or `CancellationError`.
  func answer(
    _ messages: [ChatMessage], temperature: Double, topP: Double, maxTokens: Int, seed: UInt64
  ) async throws -> Answer {
    var request = URLRequest(url: completions, timeoutInterval: timeout)
    request.httpMethod = "POST"
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    if let key { request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization") }
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    request.httpBody = try encoder.encode(
      Request(
        model: model, messages: messages, temperature: temperature, topP: topP,
        maxTokens: maxTokens, seed: seed))

    var delay = retryDelay
    var failure = ""
    for attempt in 1...max(1, attempts) {
      if attempt > 1 {
        try await Task.sleep(for: min(delay, longestDelay))
        delay = max(retryDelay, min(delay * 2, longestDelay))
      }
      do {
        let (data, response) = try await URLSession.shared.data(for: request)
        let http = response as? HTTPURLResponse
        switch http?.statusCode ?? 0 {
        case 200: return try decoded(data)
        case 408, 429, 500...599:
          failure = "status \(http?.statusCode ?? 0): \(shortened(data))"
          // The server knows best when it has time again.
          let asked = http?.value(forHTTPHeaderField: "Retry-After").flatMap { Int($0) }
          if let asked { delay = max(delay, .seconds(asked)) }
        case 400, 413, 422: throw Refusal(reason: "the server refused it: \(shortened(data))")
        case let status:
          throw TrainingError.endpoint(
            url: completions.absoluteString, reason: "status \(status): \(shortened(data))")
        }
      } catch let error as URLError {
        if error.code == .cancelled { throw CancellationError() }
        failure = error.localizedDescription
      }
    }
    throw TrainingError.endpoint(
      url: completions.absoluteString,
      reason: "no answer after \(attempts) attempts: \(failure)")
  }

  private var completions: URL {
    if url.path.hasSuffix("/chat/completions") { return url }
    let versioned = ["", "/"].contains(url.path) ? url.appendingPathComponent("v1") : url
    return versioned.appendingPathComponent("chat/completions")
  }

  private func decoded(_ data: Data) throws -> Answer {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let response = try? decoder.decode(Response.self, from: data),
      let choice = response.choices.first
    else {
      throw TrainingError.endpoint(
        url: completions.absoluteString,
        reason: "expected a chat completion, found \(shortened(data))")
    }
    return Answer(
      text: choice.message.content ?? "", finish: choice.finishReason,
      tokens: response.usage?.completionTokens)
  }

  private func shortened(_ data: Data) -> String {
    let text = String(decoding: data.prefix(200), as: UTF8.self)
    return text.isEmpty ? "nothing" : text.replacing("\n", with: " ")
  }
}
