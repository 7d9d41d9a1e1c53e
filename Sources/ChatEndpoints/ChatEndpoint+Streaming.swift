import Foundation
import Synchronization
import Tokenization

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

extension ChatEndpoint {
  /// An answer that came piece by piece.
  public struct StreamedAnswer: Sendable, Equatable {
    public var text = ""
    /// `stop` or `length`, as the server says it.
    public var finish: String?
    /// Pieces of text that came.
    public var pieces = 0
    /// Tokens of prompt and answer, if the server counts them.
    public var promptTokens: Int?
    public var tokens: Int?
    /// Seconds from the request to the first piece, and to the end.
    public var firstSeconds = 0.0
    public var seconds = 0.0
    /// Drafted and accepted tokens, where the server tells (llama.cpp's `timings`).
    public var drafted: Int?
    public var accepted: Int?
  }

  /// Asks for the next message as a stream (server-sent events), and measures. An answer that
  /// stalls or is cut off is asked for again, from its beginning.
  /// - Throws: `EndpointError`, or `CancellationError`.
  public func stream(
    _ messages: [ChatMessage], temperature: Double, topP: Double = 1, maxTokens: Int, seed: UInt64
  ) async throws -> StreamedAnswer {
    let request = try urlRequest(
      Request(
        model: model, messages: messages, temperature: temperature, topP: topP,
        maxTokens: maxTokens, seed: seed, stream: true, streamOptions: .init()))
    return try await retrying { try await streamed(request) }
  }

  private func streamed(_ request: URLRequest) async throws -> StreamedAnswer {
    let start = ContinuousClock.now
    let (events, continuation) = AsyncThrowingStream<StreamDelegate.Event, any Error>.makeStream()
    let delegate = StreamDelegate(continuation, timeout: .seconds(timeout))
    defer { delegate.stop() }
    let session = URLSession(
      configuration: .ephemeral, delegate: delegate, delegateQueue: nil)
    defer { session.invalidateAndCancel() }
    let task = session.dataTask(with: request)
    task.resume()

    var answer = StreamedAnswer()
    var response: URLResponse?
    var buffer = Data()
    var isDone = false
    // When the last bytes came, not when they were looked at.
    var end = start
    for try await event in events {
      switch event {
      case .response(let found): response = found
      case .data(let data, let time):
        end = time
        buffer += data
        guard (response as? HTTPURLResponse)?.statusCode == 200 else { continue }
        while let end = buffer.firstIndex(of: 0x0A) {
          let line = buffer[buffer.startIndex..<end]
          buffer = Data(buffer[buffer.index(after: end)...])
          isDone = try take(line, time - start, &answer) || isDone
        }
      }
    }
    try Task.checkCancellation()
    try check(response, buffer)
    guard isDone || answer.finish != nil else {
      throw Transient(reason: "the answer was cut off after \(answer.pieces) pieces")
    }
    answer.seconds = (end - start) / .seconds(1)
    return answer
  }

  private struct Chunk: Decodable {
    struct Choice: Decodable {
      struct Delta: Decodable {
        var content: String?
      }
      var delta: Delta?
      var finishReason: String?
    }
    struct Usage: Decodable {
      var promptTokens: Int?
      var completionTokens: Int?
    }
    struct Timings: Decodable {
      var draftN: Int?
      var draftNAccepted: Int?
    }
    struct Failure: Decodable {
      var message: String?
    }
    var choices: [Choice]?
    var usage: Usage?
    var timings: Timings?
    var error: Failure?
  }

  /// Takes a line of the stream.
  /// - Returns: whether it says that nothing more comes.
  private func take(
    _ line: Data, _ time: Duration, _ answer: inout StreamedAnswer
  ) throws -> Bool {
    let text = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespaces)
    guard text.hasPrefix("data:") else { return false }
    let body = text.dropFirst(5).trimmingCharacters(in: .whitespaces)
    if body == "[DONE]" { return true }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let chunk = try? decoder.decode(Chunk.self, from: Data(body.utf8)) else {
      throw failure("expected a piece of a chat completion, found \(shortened(Data(body.utf8)))")
    }
    if let error = chunk.error {
      throw Transient(reason: error.message ?? "the server tells of an error")
    }
    if let choice = chunk.choices?.first {
      if let content = choice.delta?.content, !content.isEmpty {
        if answer.pieces == 0 { answer.firstSeconds = time / .seconds(1) }
        answer.text += content
        answer.pieces += 1
      }
      answer.finish = choice.finishReason ?? answer.finish
    }
    answer.promptTokens = chunk.usage?.promptTokens ?? answer.promptTokens
    answer.tokens = chunk.usage?.completionTokens ?? answer.tokens
    answer.drafted = chunk.timings?.draftN ?? answer.drafted
    answer.accepted = chunk.timings?.draftNAccepted ?? answer.accepted
    return false
  }

  /// Counters of drafted and accepted tokens that vLLM keeps (`/metrics`); nil where there are none.
  public func draftCounters() async -> (drafts: Int, drafted: Int, accepted: Int)? {
    guard var parts = URLComponents(url: url, resolvingAgainstBaseURL: false) else { return nil }
    (parts.path, parts.query) = ("/metrics", nil)
    guard let address = parts.url,
      let (data, response) = try? await URLSession.shared.data(
        for: URLRequest(url: address, timeoutInterval: min(timeout, 10))),
      (response as? HTTPURLResponse)?.statusCode == 200
    else { return nil }
    let text = String(decoding: data, as: UTF8.self)
    func counter(_ name: String) -> Int? {
      let values = text.split(separator: "\n").filter {
        $0.hasPrefix("\(name){") || $0.hasPrefix("\(name) ")
      }.compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
      return values.isEmpty ? nil : Int(values.reduce(0, +))
    }
    guard let drafted = counter("vllm:spec_decode_num_draft_tokens_total"),
      let accepted = counter("vllm:spec_decode_num_accepted_tokens_total")
    else { return nil }
    return (counter("vllm:spec_decode_num_drafts_total") ?? 0, drafted, accepted)
  }
}

/// Hands on what comes, when it comes, and ends what stalls: URLSession on Linux waits for a body that
/// stalls as long as it takes.
private final class StreamDelegate: NSObject, URLSessionDataDelegate {
  enum Event: Sendable {
    case response(URLResponse)
    case data(Data, ContinuousClock.Instant)
  }

  private let continuation: AsyncThrowingStream<Event, any Error>.Continuation
  private let timeout: Duration
  // Unsafe: dispatch sources may be used from anywhere, which Linux's Dispatch does not say.
  private nonisolated(unsafe) let timer: any DispatchSourceTimer
  /// When something came last.
  private let heard = Mutex(ContinuousClock.now)

  init(_ continuation: AsyncThrowingStream<Event, any Error>.Continuation, timeout: Duration) {
    self.continuation = continuation
    self.timeout = timeout
    // A thread of its own: tasks share a few, which may be busy.
    timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "nunchi.stall"))
    super.init()
    let interval = timeout / .seconds(1) / 10
    timer.schedule(deadline: .now() + interval, repeating: interval)
    timer.setEventHandler { [weak self] in _ = self?.isStalled(at: .now) }
    timer.resume()
  }

  func stop() { timer.cancel() }

  private func isStalled(at now: ContinuousClock.Instant) -> Bool {
    guard now - heard.withLock({ $0 }) > timeout else { return false }
    continuation.finish(
      throwing: ChatEndpoint.Transient(reason: "nothing came for \(timeout / .seconds(1)) seconds"))
    return true
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
  ) {
    heard.withLock { $0 = .now }
    continuation.yield(.response(response))
    completionHandler(.allow)
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let now = ContinuousClock.now
    guard !isStalled(at: now) else { return }
    heard.withLock { $0 = now }
    continuation.yield(.data(data, now))
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
  ) {
    if let error { continuation.finish(throwing: error) } else { continuation.finish() }
  }
}
