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
  public struct Answer: Sendable {
    public var text: String
    /// `stop` or `length`, as the server says it.
    public var finish: String?
    /// Tokens of the answer, if the server counts them.
    public var tokens: Int?
  }

  /// - Throws: `EndpointError.address` for what is no address.
  public init(address: String, model: String, key: String? = nil) throws {
    guard let url = URL(string: address), ["http", "https"].contains(url.scheme),
      url.host?.isEmpty == false
    else {
      throw EndpointError.address(found: address)
    }
    self.url = url
    self.model = model
    self.key = key
  }

  struct Request: Encodable {
    struct StreamOptions: Encodable {
      var includeUsage = true
    }

    var model: String
    var messages: [ChatMessage]
    var temperature: Double
    var topP: Double
    var maxTokens: Int
    var seed: UInt64
    var stream: Bool?
    var streamOptions: StreamOptions?
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
  /// - Throws: `EndpointError`, or `CancellationError`.
  public func answer(
    _ messages: [ChatMessage], temperature: Double, topP: Double = 1, maxTokens: Int, seed: UInt64
  ) async throws -> Answer {
    let request = try urlRequest(
      Request(
        model: model, messages: messages, temperature: temperature, topP: topP,
        maxTokens: maxTokens, seed: seed))
    return try await retrying {
      let (data, response) = try await URLSession.shared.data(for: request)
      try check(response, data)
      return try decoded(data)
    }
  }

  func urlRequest(_ body: Request) throws -> URLRequest {
    var request = URLRequest(url: completions, timeoutInterval: timeout)
    request.httpMethod = "POST"
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    if let key { request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization") }
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    request.httpBody = try encoder.encode(body)
    return request
  }

  /// A failure after which the same request may succeed.
  struct Transient: Error {
    var reason: String
    /// What the server asks for.
    var delay: Duration?
  }

  /// - Throws: `Transient` or `EndpointError` for any status but 200.
  func check(_ response: URLResponse?, _ body: Data) throws {
    let http = response as? HTTPURLResponse
    switch http?.statusCode ?? 0 {
    case 200: return
    case 408, 429, 500...599:
      throw Transient(
        reason: "status \(http?.statusCode ?? 0): \(shortened(body))",
        delay: http?.value(forHTTPHeaderField: "Retry-After").flatMap { Int($0) }
          .map { .seconds($0) })
    case 400, 413, 422: throw EndpointError.refused(reason: shortened(body))
    case let status: throw failure("status \(status): \(shortened(body))")
    }
  }

  func failure(_ reason: String) -> EndpointError {
    .failed(url: completions.absoluteString, reason: reason)
  }

  /// Does it again, later and later, while failures are such that may pass.
  func retrying<Value>(_ body: () async throws -> Value) async throws -> Value {
    var delay = retryDelay
    var reason = ""
    for attempt in 1...max(1, attempts) {
      if attempt > 1 {
        try await Task.sleep(for: min(delay, longestDelay))
        delay = max(retryDelay, min(delay * 2, longestDelay))
      }
      do {
        return try await body()
      } catch let error as Transient {
        reason = error.reason
        // The server knows best when it has time again.
        if let asked = error.delay { delay = max(delay, asked) }
      } catch let error as URLError {
        if error.code == .cancelled { throw CancellationError() }
        reason = error.localizedDescription
      }
    }
    throw failure("no answer after \(attempts) attempts: \(reason)")
  }

  var completions: URL {
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
      throw failure("expected a chat completion, found \(shortened(data))")
    }
    return Answer(
      text: choice.message.content ?? "", finish: choice.finishReason,
      tokens: response.usage?.completionTokens)
  }

  func shortened(_ data: Data) -> String {
    let text = String(decoding: data.prefix(200), as: UTF8.self)
    return text.isEmpty ? "nothing" : text.replacing("\n", with: " ")
  }
}
