import Foundation
import Testing

@testable import ModelFiles

@Suite struct SafetensorsWriterTests {
  private let folder: TemporaryFolder
  private var path: String { "\(folder.path)/model.safetensors" }

  init() throws {
    folder = try TemporaryFolder()
  }

  private static let tensors = [
    TensorInfo(name: "mask", type: .bool, shape: [3]),
    TensorInfo(name: "norm/눈 \"x\"", type: .f32, shape: [2]),
    TensorInfo(name: "half", type: .bf16, shape: [1, 3]),
    TensorInfo(name: "d2t", type: .i64, shape: [2]),
    TensorInfo(name: "tokens", type: .i32, shape: [2, 1]),
    TensorInfo(name: "small", type: .i8, shape: [1]),
    TensorInfo(name: "bytes", type: .u8, shape: [1]),
    TensorInfo(name: "none", type: .f32, shape: [0, 4]),
  ]

  private func writer(metadata: [String: String] = [:]) throws -> SafetensorsWriter {
    try SafetensorsWriter(path: path, tensors: Self.tensors, metadata: metadata)
  }

  private func fill(_ writer: SafetensorsWriter) throws {
    try writer.append([1, 0, 1], to: "mask")
    try writer.append([Float](arrayLiteral: 1.5), to: "norm/눈 \"x\"")
    try writer.append([Float](arrayLiteral: 1, -2, 0.5), to: "half")
    try writer.append([Float](arrayLiteral: -0.25), to: "norm/눈 \"x\"")
    try writer.append([Int.min, Int.max], to: "d2t")
    try writer.append([Int32.min, Int32.max], to: "tokens")
    try writer.append([-128], to: "small")
    try writer.append([255], to: "bytes")
  }

  @Test("What is written is read back: all types, pieces in any order, metadata")
  func roundTrip() throws {
    let writer = try writer(metadata: ["target": "a/b", "이름": "\"눈\"\n"])
    try fill(writer)
    #expect(folder.names == ["model.safetensors.part"])
    try writer.finish()
    #expect(folder.names == ["model.safetensors"])
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata == ["target": "a/b", "이름": "\"눈\"\n"])
    #expect(Set(file.tensors.values.map(\.name)) == Set(Self.tensors.map(\.name)))
    for info in Self.tensors { #expect(file.tensors[info.name] == info) }
    #expect(try file.integers(of: "mask") == [1, 0, 1])
    #expect(try file.integers(of: "d2t") == [Int.min, Int.max])
    #expect(try file.integers(of: "tokens") == [Int(Int32.min), Int(Int32.max)])
    #expect(try file.integers(of: "small") == [-128])
    #expect(try file.integers(of: "bytes") == [255])
    let expected: [Float] = [1.5, -0.25]
    let norm = try withExtendedLifetime(file) {
      let data = try file.data(of: "norm/눈 \"x\"")
      return (0..<2).map { data.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
    }
    #expect(norm == expected)
  }

  @Test("Floats become the nearest bfloat16, the even one of two")
  func bfloat16() throws {
    let values: [Float] = [
      1, Float(bitPattern: 0x3F80_8000), Float(bitPattern: 0x3F81_8000),
      Float(bitPattern: 0x3F80_8001), .greatestFiniteMagnitude, -.infinity, -0.0,
      Float(bitPattern: 0x7F80_0001),
    ]
    let info = TensorInfo(name: "t", type: .bf16, shape: [values.count])
    let writer = try SafetensorsWriter(path: path, tensors: [info])
    try writer.append(values, to: "t")
    try writer.finish()
    let file = try SafetensorsFile(path: path)
    let stored = try withExtendedLifetime(file) {
      let data = try file.data(of: "t")
      return values.indices.map { data.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self) }
    }
    #expect(stored == [0x3F80, 0x3F80, 0x3F82, 0x3F81, 0x7F80, 0xFF80, 0x8000, 0x7FC0])
  }

  @Test("A large tensor goes out in pieces")
  func large() throws {
    let count = 150_001
    let info = TensorInfo(name: "t", type: .i32, shape: [count])
    let writer = try SafetensorsWriter(path: path, tensors: [info])
    try writer.append(Array(0..<count), to: "t")
    try writer.finish()
    #expect(try SafetensorsFile(path: path).integers(of: "t") == Array(0..<count))
  }

  @Test("A file that is given up leaves nothing, and the one before it stays")
  func abandoned() throws {
    _ = try folder.write("before", as: "model.safetensors")
    do {
      let writer = try writer()
      try writer.append([1, 0], to: "mask")
      let error = try modelFileError { try writer.finish() }
      #expect("\(error)".contains("data of tensor 'bytes': expected 1 bytes, found 0"), "\(error)")
    }
    #expect(folder.names == ["model.safetensors"])
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "before")
  }

  @Test("What the header does not say cannot be written")
  func refused() throws {
    let writer = try writer()
    let cases: [(String, () throws -> Void)] = [
      ("tensor 'other': expected in the file", { try writer.append([1], to: "other") }),
      ("expected 3 bytes, found 4", { try writer.append([1, 1, 1, 1], to: "mask") }),
      ("expected numbers from 0 to 1, found 2", { try writer.append([2], to: "mask") }),
      ("expected numbers from -128 to 127", { try writer.append([128], to: "small") }),
      ("expected a type of integers, found BF16", { try writer.append([1], to: "half") }),
      (
        "expected F32 or BF16 for floats, found I64",
        { try writer.append([Float](repeating: 1, count: 2), to: "d2t") }
      ),
    ]
    for (says, body) in cases {
      let error = try modelFileError(body)
      #expect("\(error)".contains(says), "\(error)")
    }
  }

  @Test(
    "Tensors that the format cannot hold are refused before anything is written",
    arguments: [
      (TensorInfo(name: "mask", type: .f32, shape: [1]), "a name that is taken"),
      (TensorInfo(name: "__metadata__", type: .f32, shape: [1]), "a name that is taken"),
      (TensorInfo(name: "q", type: .q8_0, shape: [32]), "found Q8_0"),
      (TensorInfo(name: "q", type: .f32, shape: [-1]), "sizes of at least 0"),
      (TensorInfo(name: "q", type: .f32, shape: [1 << 62, 4]), "fewer than 2^63 bytes"),
      (TensorInfo(name: "q", type: .f32, shape: [1 << 60]), "free disk space"),
    ])
  func impossible(info: TensorInfo, says: String) throws {
    let error = try modelFileError {
      _ = try SafetensorsWriter(path: path, tensors: Self.tensors + [info])
    }
    #expect("\(error)".contains(says), "\(error)")
    #expect(folder.names == [])
  }

  @Test("A folder that is not there gives its path")
  func noFolder() throws {
    let path = "\(folder.path)/none/model.safetensors"
    let error = try modelFileError {
      _ = try SafetensorsWriter(path: path, tensors: Self.tensors)
    }
    #expect("\(error)".contains("none/model.safetensors.part: cannot be used"), "\(error)")
  }

  #if os(Linux)
    @Test("A full disk is said to be one")
    func fullDisk() throws {
      // Every write to this device fails as on a full disk.
      try FileManager.default.createSymbolicLink(
        atPath: path + ".part", withDestinationPath: "/dev/full")
      let error = try modelFileError { _ = try writer() }
      guard case .diskFull(path, _, 0) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(folder.names == [])
    }
  #endif

  @Test("Integers are no floats, and floats no integers")
  func integers() throws {
    let writer = try writer()
    try fill(writer)
    try writer.finish()
    let file = try SafetensorsFile(path: path)
    let error = try modelFileError { _ = try file.integers(of: "half") }
    #expect("\(error)".contains("type of tensor 'half': expected integers"), "\(error)")
  }

  @Test("Damaged files with integers and metadata open or are refused")
  func fuzz() throws {
    let writer = try writer(metadata: ["a": "b"])
    try fill(writer)
    try writer.finish()
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    var generator = SeededGenerator(seed: 5)
    var opened = 0
    for _ in 0..<1000 {
      var damaged = bytes
      for _ in 0..<2 {
        damaged[Int.random(in: 0..<bytes.count - 40, using: &generator)] ^=
          1 << UInt8.random(in: 0..<8, using: &generator)
      }
      let path = try folder.write(damaged, as: "damaged.safetensors")
      do {
        let file = try SafetensorsFile(path: path)
        opened += 1
        for (name, info) in file.tensors where info.type.isInteger {
          #expect(try file.integers(of: name).count == info.elementCount)
        }
      } catch is ModelFileError {}
    }
    #expect((1..<900).contains(opened))
  }
}
