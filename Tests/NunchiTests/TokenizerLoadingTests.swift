import Foundation
import ModelFiles
import Nunchi
import Testing

@Suite struct TokenizerLoadingTests {
  @Test("a file of a folder that is not JSON is named, with the byte")
  func malformedJSON() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("nunchi-tokenizer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data("{".utf8).write(to: folder.appendingPathComponent("tokenizer.json"))
    try Data("{}".utf8).write(to: folder.appendingPathComponent("config.json"))
    let error = try #require(throws: ModelFileError.self) {
      try Tokenizer(folder: folder.path)
    }
    #expect("\(error)".hasPrefix("\(folder.path)/tokenizer.json: JSON, byte 1: expected "))
  }
}
