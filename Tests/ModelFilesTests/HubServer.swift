import Foundation
import Synchronization

@testable import ModelFiles

/// A server that speaks the hub's API, and the storage that it sends to for large files:
/// https://huggingface.co/docs/hub/api, and huggingface_hub's `hf_api.py` and `file_download.py`.
final class HubServer: Sendable {
  struct File: Sendable {
    var content: [UInt8]
    /// Kept in the storage and known by its SHA-256; else by git's SHA-1.
    var isLarge = false
  }

  enum Access: Sendable {
    case open
    /// The list is public, the files are not.
    case gated
    case hidden
  }

  struct State: Sendable {
    var files: [String: File]
    var access = Access.open
    /// Of those who have access.
    var token = "hf_good"
    /// Others that are somebody's.
    var otherTokens = ["hf_other"]
    var pageSize = 2
    var commit = String(repeating: "c0", count: 20)
    var revisions: Set = ["main"]
    /// Another server that has the pages after the first.
    var nextPages: String?
  }

  static let repository = "Owner/Small-Model.1"

  let hub: LocalServer
  let storage: LocalServer
  private let state: Mutex<State>
  private let digests: Mutex<[[UInt8]: String]>

  init(_ files: [String: File], _ change: (inout State) -> Void = { _ in }) throws {
    var state = State(files: files)
    change(&state)
    self.state = Mutex(state)
    digests = Mutex([:])
    storage = try LocalServer(LocalServer.Behaviour(content: []))
    hub = try LocalServer(LocalServer.Behaviour(content: []))
    hub.change { behaviour in
      behaviour.answer = { [unowned self] in answer($0) }
    }
    update { _ in }
  }

  func stop() {
    hub.stop()
    storage.stop()
  }

  func update(_ change: (inout State) -> Void) {
    let files = state.withLock { state in
      change(&state)
      return state.files
    }
    storage.change { behaviour in
      for (name, file) in files where file.isLarge { behaviour.contents["/\(name)"] = file.content }
    }
  }

  /// What was asked for, without what was only looked up.
  var contentRequests: [LocalServer.Request] { storage.requests.filter { $0.method == "GET" } }

  /// The file's content that the storage gives in place of the right one.
  func storeInstead(_ content: [UInt8], of name: String) {
    storage.change { $0.contents["/\(name)"] = content }
  }

  // MARK: - Answers

  private func answer(_ request: LocalServer.Request) -> LocalServer.Answer {
    let state = state.withLock { $0 }
    let token = request.headers["authorization"].map { String($0.dropFirst("Bearer ".count)) }
    if let token, token != state.token, !state.otherTokens.contains(token) {
      return refusal("401 Unauthorized", nil, "Invalid credentials in Authorization header")
    }
    let hasAccess = token == state.token
    let path = String(request.path.prefix { $0 != "?" })
    let query = request.path.dropFirst(path.count)
    let api = "/api/models/\(Self.repository)/"
    let content = "/\(Self.repository)/resolve/"
    guard path.hasPrefix(api) || path.hasPrefix(content) || path.hasPrefix("/api/resolve-cache/"),
      state.access != .hidden || hasAccess
    else {
      return token == nil
        ? refusal("401 Unauthorized", "RepoNotFound", "Invalid username or password.")
        : refusal("404 Not Found", "RepoNotFound", "Repository not found")
    }
    let parts = path.split(separator: "/").map { $0.removingPercentEncoding ?? "" }
    if path.hasPrefix("\(api)revision/") {
      guard state.revisions.contains(parts[5]) else {
        return refusal("404 Not Found", "RevisionNotFound", "Invalid rev id: \(parts[5])")
      }
      return json(["id": Self.repository, "sha": state.commit])
    }
    if path.hasPrefix("\(api)tree/") {
      guard parts[5] == state.commit else {
        return refusal("404 Not Found", "RevisionNotFound", "")
      }
      return tree(state, cursor: query)
    }
    if path.hasPrefix("/api/resolve-cache/") {
      let name = parts.dropFirst(6).joined(separator: "/")
      return LocalServer.Answer(body: state.files[name]?.content ?? [])
    }
    guard state.access != .gated || hasAccess else {
      return token == nil
        ? refusal("401 Unauthorized", "GatedRepo", "Access to model is restricted.")
        : refusal("403 Forbidden", "GatedRepo", "You are not in the authorized list.")
    }
    let name = parts.dropFirst(4).joined(separator: "/")
    guard let file = state.files[name], parts[3] == state.commit else {
      return refusal("404 Not Found", "EntryNotFound", "Entry not found")
    }
    let digest = digest(of: file)
    let common = ["X-Repo-Commit: \(state.commit)", "X-Linked-Size: \(file.content.count)"]
    let place = path.dropFirst(content.count)
    return LocalServer.Answer(
      status: file.isLarge ? "302 Found" : "307 Temporary Redirect",
      fields: common + [
        "X-Linked-Etag: \"\(digest)\"",
        file.isLarge
          ? "Location: \(storage.url)/\(name)?X-Signature=secret"
          : "Location: /api/resolve-cache/models/\(Self.repository)/\(place)",
      ], body: Array("Found. Redirecting to another place".utf8))
  }

  private func refusal(
    _ status: String, _ code: String?, _ message: String
  ) -> LocalServer.Answer {
    LocalServer.Answer(
      status: status,
      fields: (code.map { ["X-Error-Code: \($0)"] } ?? []) + ["X-Error-Message: \(message)"],
      body: Array(#"{"error": "\#(message)"}"#.utf8))
  }

  private func json(_ value: Any, fields: [String] = []) -> LocalServer.Answer {
    let body = (try? JSONSerialization.data(withJSONObject: value)) ?? Data()
    return LocalServer.Answer(fields: fields, body: Array(body))
  }

  private func tree(_ state: State, cursor: Substring) -> LocalServer.Answer {
    let first = cursor.split(separator: "=").last.flatMap { Int($0) } ?? 0
    let names = state.files.keys.sorted()
    let page = names.dropFirst(first).prefix(state.pageSize)
    var items: [[String: Any]] = page.compactMap { name in
      guard let file = state.files[name] else { return nil }
      let digest = digest(of: file)
      var item: [String: Any] = ["type": "file", "path": name, "size": file.content.count]
      item["oid"] = file.isLarge ? String(repeating: "0a", count: 20) : digest
      if file.isLarge {
        item["lfs"] = ["oid": digest, "size": file.content.count, "pointerSize": 134]
        item["xetHash"] = String(repeating: "1b", count: 32)
      }
      return item
    }
    items.append(["type": "directory", "path": "folder", "size": 0, "oid": state.commit])
    let next = first + state.pageSize
    let path = "/api/models/\(Self.repository)/tree/\(state.commit)?recursive=true&cursor=\(next)"
    let link = "Link: <\(state.nextPages ?? hub.url)\(path)>; rel=\"next\""
    return json(items, fields: next < names.count ? [link] : [])
  }

  /// By the system's programs, of a file that has what git would hash.
  private func digest(of file: File) -> String {
    let bytes =
      file.isLarge ? file.content : Array("blob \(file.content.count)\0".utf8) + file.content
    return digests.withLock { known in
      if let digest = known[bytes] { return digest }
      let folder = try? TemporaryFolder()
      guard let path = try? folder?.write(bytes, as: "bytes") else { return "" }
      let tool = ChildProcess(
        program: file.isLarge ? "sha256sum" : "sha1sum", arguments: [path], purpose: "for a test")
      let digest = String(((try? tool.output())?.text ?? "").prefix { $0 != " " })
      known[bytes] = digest
      return digest
    }
  }
}
