import Foundation
import Testing

@testable import ModelFiles

@Suite("Files that are written and read") struct OutputTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test("what is written under a link goes where the link leads, and the old file stays till then")
  func links() throws {
    let files = FileManager.default
    let target = try folder.write("old", as: "target")
    try files.setAttributes([.posixPermissions: 0o600], ofItemAtPath: target)
    try files.createDirectory(atPath: "\(folder.path)/sub", withIntermediateDirectories: false)
    let (one, two) = ("\(folder.path)/sub/one", "\(folder.path)/two")
    try files.createSymbolicLink(atPath: one, withDestinationPath: "../two")
    try files.createSymbolicLink(atPath: two, withDestinationPath: "target")
    let file = try AtomicFile(path: one)
    try Data("new".utf8).withUnsafeBytes { try file.write($0, at: 0) }
    #expect(try Data(reading: target) == Data("old".utf8))
    try file.commit()
    #expect(try Data(reading: target) == Data("new".utf8))
    #expect(try files.destinationOfSymbolicLink(atPath: one) == "../two")
    #expect(try files.destinationOfSymbolicLink(atPath: two) == "target")
    #expect(try files.attributesOfItem(atPath: target)[.posixPermissions] as? Int == 0o600)
    #expect(folder.names == ["sub", "target", "two"])
  }

  @Test("a FIFO gets all bytes in their order, and nothing of an abandoned file")
  func fifo() throws {
    let path = try makeFIFO()
    let tail = [UInt8](repeating: 7, count: 200_000)
    let whole = Reading(path)
    do {
      let file = try AtomicFile(path: path)
      try tail.withUnsafeBytes { try file.write($0, at: 3) }
      try ([1, 2, 3] as [UInt8]).withUnsafeBytes { try file.write($0, at: 0) }
      try file.commit()
    }
    #expect(try whole.result() == Data([1, 2, 3] + tail))
    let nothing = Reading(path)
    do {
      let file = try AtomicFile(path: path)
      try tail.withUnsafeBytes { try file.write($0, at: 0) }
    }
    #expect(try nothing.result().isEmpty)
    #expect(folder.names == ["fifo"])
  }

  @Test("a file of tensors goes through a FIFO whole, and is mapped at its other end")
  func tensors() throws {
    let path = try makeFIFO()
    let mapped = Reading(path) { path in
      let file = try MappedFile(path: path)
      return withExtendedLifetime(file) { Data(file.bytes) }
    }
    let plain = "\(folder.path)/plain"
    for goal in [path, plain] {
      let writer = try SafetensorsWriter(
        path: goal,
        tensors: [
          TensorInfo(name: "a", type: .u8, shape: [3]),
          TensorInfo(name: "b", type: .f32, shape: [1]),
        ])
      try writer.append([1, 2, 3] as [UInt8], to: "a")
      try writer.append([0.5] as [Float], to: "b")
      try writer.finish()
    }
    #expect(try mapped.result() == Data(reading: plain))
  }

  @Test("an input that can be read once is kept under its name, and the copy goes with its holder")
  func kept() throws {
    let plain = try folder.write("text", as: "plain")
    let fifo = try makeFIFO()
    Thread.detachNewThread { try? AtomicFile.write(Data("lines".utf8), to: fifo) }
    var copy = ""
    do {
      let kept = try KeptInputs([plain, fifo])
      copy = kept.paths[1]
      #expect(kept.paths[0] == plain)
      #expect(URL(fileURLWithPath: copy).lastPathComponent == "fifo")
      for _ in 0..<2 { #expect(try Data(reading: copy) == Data("lines".utf8)) }
      withExtendedLifetime(kept) {}
    }
    #expect(!FileManager.default.fileExists(atPath: copy))
  }

  @Test("an input that says it has no bytes, such as one of the kernel's, is read all the same")
  func kernelFile() throws {
    #expect(try Data(reading: "/proc/self/status").count > 100)
    #expect(try MappedFile(path: "/proc/self/status").bytes.count > 100)
    #expect(throws: ModelFileError.self) { try MappedFile(path: "/dev/null") }
    #expect(throws: ModelFileError.unreadable(path: "/", reason: "Is a directory")) {
      try Data(reading: "/")
    }
  }

  private func makeFIFO() throws -> String {
    let path = "\(folder.path)/fifo"
    try #require(mkfifo(path, 0o600) == 0)
    return path
  }

  /// Reads a file to its end on a thread of its own, since a FIFO waits.
  private final class Reading: @unchecked Sendable {
    private let end = DispatchSemaphore(value: 0)
    // Read once the end has come.
    private var found: Result<Data, any Error>?

    init(
      _ path: String,
      _ read: @escaping @Sendable (String) throws -> Data = { try Data(reading: $0) }
    ) {
      Thread.detachNewThread { [self] in
        found = Result { try read(path) }
        end.signal()
      }
    }

    func result() throws -> Data {
      try #require(end.wait(timeout: .now() + 60) == .success)
      return try #require(found).get()
    }
  }

  @Test("a file is the same under its own name and by a link, and no other is")
  func sameFile() throws {
    let (file, other) = (
      try folder.write("text", as: "file"), try folder.write("text", as: "other")
    )
    let link = "\(folder.path)/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
    for name in [file, link, "\(folder.path)/./file"] {
      #expect(OutputPlace.isSameFile(name, file))
      #expect(!OutputPlace.isSameFile(name, other))
    }
    #expect(OutputPlace.isSameFile("absent", "./absent"))
    #expect(!OutputPlace.isSameFile("absent", file))
    #expect(!OutputPlace.isSameFile("/dev/null", "/dev/null"), "a device may be both")
  }

  @Test("folders are made where there are none; under a file that is one plain error")
  func folders() throws {
    let file = try folder.write("text", as: "file")
    let deep = "\(folder.path)/a/b/c"
    try makeFolder(deep)
    try makeFolder(deep)
    #expect(FileManager.default.fileExists(atPath: deep))
    for path in [file, "\(file)/sub"] {
      let error = try modelFileError { try makeFolder(path) }
      #expect("\(error)" == "\(path): cannot be used: Not a directory")
    }
  }
}
