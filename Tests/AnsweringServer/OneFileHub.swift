import Foundation

extension AnsweringServer {
  /// A server that speaks the Hugging Face hub's API for one repository with one large file:
  /// `hf:owner/repo/FILE`.
  public static func hub(
    file: String, content: Data, sha256: String
  ) throws -> AnsweringServer {
    let commit = String(repeating: "0a", count: 20)
    return try AnsweringServer { request in
      switch request.path {
      case "/api/models/owner/repo/revision/main":
        return Answer(body: Data(#"{"sha": "\#(commit)"}"#.utf8))
      case "/api/models/owner/repo/tree/\(commit)?recursive=true":
        let list = """
          [{"type": "file", "path": "\(file)", "size": \(content.count), "oid": "\(commit)",
            "lfs": {"oid": "\(sha256)", "size": \(content.count), "pointerSize": 134}}]
          """
        return Answer(body: Data(list.utf8))
      case "/owner/repo/resolve/\(commit)/\(file)":
        return Answer(status: 302, headers: ["Location: /storage/\(file)"])
      case "/storage/\(file)": return Answer(body: content)
      default: return Answer(status: 404, headers: ["X-Error-Code: RepoNotFound"])
      }
    }
  }
}
