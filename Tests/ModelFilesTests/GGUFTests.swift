import Foundation
import Testing

@testable import ModelFiles

@Suite struct GGUFTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private func open(_ writer: GGUFWriter) throws -> GGUFFile {
    try GGUFFile(path: folder.write(writer.bytes(), as: "model.gguf"))
  }

  @Test("Every value type is read, in versions 2 and 3", arguments: [2, 3] as [UInt32])
  func values(version: UInt32) throws {
    var writer = GGUFWriter.sample
    writer.version = version
    let file = try open(writer)
    #expect(file.version == Int(version))
    #expect(try file.string("general.architecture") == "llama")
    #expect(try file.int("u8") == 200)
    #expect(try file.int("i8") == -100)
    #expect(try file.int("u16") == 60000)
    #expect(try file.int("i16") == -30000)
    #expect(try file.int("u32") == 4_000_000_000)
    #expect(try file.int("i32") == -2_000_000_000)
    #expect(try file.int("u64") == 1 << 62)
    #expect(try file.int("i64") == -1 << 62)
    #expect(try file.float("f32") == 0.5)
    #expect(try file.float("f64") == 1e-300)
    #expect(try file.float("u8") == 200)
    #expect(try file.bool("yes"))
    #expect(file.metadata["raw"] == .bytes([0xFF, 0xFE]))
    #expect(try file.ints("ints") == [-1, 2])
    #expect(try file.ints("bytes") == [1, 255])
    #expect(try file.ints("longs") == [7])
    #expect(try file.floats("floats") == [1.5, -2])
    #expect(try file.floats("ints") == [-1, 2])
    #expect(try file.bools("bools") == [true, false])
    #expect(try file.strings("words") == ["a", "b"])
    #expect(try file.strings("none").isEmpty)
    guard case .array(let nested) = file.metadata["nested"] else {
      Issue.record("expected an array of arrays")
      return
    }
    #expect(nested.first == .ints([1]))
    #expect(file.metadata.count == writer.keys.count)
  }

  @Test("Strings that are not UTF-8 keep their bytes")
  func byteStrings() throws {
    let file = try open(.sample)
    let tokens = try file.byteStrings("tokens")
    #expect(Array(tokens) == [Array("눈".utf8), [0x80], []])
    #expect(tokens.string(at: 0) == "눈")
    #expect(tokens.string(at: 1) == nil)
    let error = try modelFileError { _ = try file.strings("tokens") }
    #expect("\(error)".contains("'tokens', element 1: expected a string in UTF-8"))
  }

  @Test("Every tensor type is read, outermost dimension first", arguments: TensorType.weights)
  func tensors(type: TensorType) throws {
    let writer = GGUFWriter.sample
    let file = try open(writer)
    let written = try #require(writer.tensors.first { $0.type == type.rawValue })
    let info = try #require(file.tensors[written.name])
    #expect(info.type == type)
    #expect(info.shape == [3, 2 * type.blockElements])
    #expect(Array(try file.data(of: written.name)) == written.data)
    file.releasePages(of: written.name)
    #expect(Array(try file.data(of: written.name)) == written.data)
  }

  @Test("Another alignment is respected", arguments: [8, 64, 4096])
  func alignment(_ alignment: Int) throws {
    var writer = GGUFWriter.sample
    writer.alignment = alignment
    writer.keys.append(("general.alignment", .uint32(UInt32(alignment))))
    let file = try open(writer)
    for tensor in writer.tensors {
      #expect(Array(try file.data(of: tensor.name)) == tensor.data)
    }
  }

  @Test("Optional getters give nil for keys that are not there, and errors for other kinds")
  func optionalGetters() throws {
    let file = try open(.sample)
    #expect(try file.optionalInt("absent") == nil)
    #expect(try file.optionalStrings("absent") == nil)
    #expect(try file.optionalBool("yes") == true)
    let kind = try modelFileError { _ = try file.optionalInt("words") }
    #expect(
      kind
        == .malformed(
          path: file.path, field: "metadata key 'words'", expected: "an integer",
          found: "an array of 2 strings"))
    let missing = try modelFileError { _ = try file.int("absent") }
    #expect(missing == .missingKey(path: file.path, key: "absent", expected: "an integer"))
    #expect(
      try modelFileError { _ = try file.data(of: "absent") }
        == .missingTensor(path: file.path, name: "absent"))
  }

  /// A way to spoil a file, and what the error must say of it.
  struct Damage: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var says: String
    var apply: @Sendable (inout GGUFWriter) -> Void

    init(_ description: String, says: String, apply: @escaping @Sendable (inout GGUFWriter) -> Void)
    {
      testDescription = description
      self.says = says
      self.apply = apply
    }

    static func tensor(
      _ description: String, says: String,
      apply: @escaping @Sendable (inout GGUFWriter.Tensor) -> Void
    ) -> Damage {
      Damage(description, says: says) { apply(&$0.tensors[0]) }
    }
  }

  static let damages: [Damage] = [
    Damage("another magic", says: "expected 'GGUF'") { $0.magic = Array("GGML".utf8) },
    Damage("version 1", says: "version: expected 2 or 3, found 1") { $0.version = 1 },
    Damage("big-endian", says: "big-endian") { $0.version = UInt32(3).byteSwapped },
    Damage("absurd key count", says: "metadata count: expected at most") {
      $0.keyCount = .max
    },
    Damage("absurd tensor count", says: "tensor count: expected at most") {
      $0.tensorCount = 1 << 60
    },
    Damage("one tensor too many", says: "dimension count of tensor ''") { $0.tensorCount = 12 },
    Damage("a key twice", says: "'u8': expected one value") {
      $0.keys.append(("u8", .uint8(1)))
    },
    Damage("a tensor twice", says: "expected one entry, found the name twice") {
      $0.tensors[1].name = $0.tensors[0].name
    },
    Damage("a truth value of 2", says: "'yes2': expected a truth value, 0 or 1, found 2") {
      $0.keys.append(("yes2", .bool(2)))
    },
    Damage("a number above 2^63", says: "'big': expected less than 2^63") {
      $0.keys.append(("big", .uint64(.max)))
    },
    Damage("an unknown element type", says: "expected 0 to 12, found 99") {
      $0.keys.append(("odd", .array(99, [])))
    },
    Damage("arrays nested too deep", says: "nested at most 4 deep") {
      var value = GGUFWriter.Value.array(4, [])
      for _ in 0..<5 { value = .array(9, [value]) }
      $0.keys.append(("deep", value))
    },
    Damage("alignment 0", says: "general.alignment: expected a multiple of 8") {
      $0.keys.append(("general.alignment", .uint32(0)))
    },
    Damage("alignment of text", says: "general.alignment: expected a multiple of 8") {
      $0.keys.append(("general.alignment", .text("32")))
    },
    Damage("a split model", says: "split.count: expected 1") {
      $0.keys.append(("split.count", .uint16(3)))
    },
    .tensor("an unknown tensor type", says: "tensor 'tensor.F32': expected one of the types") {
      $0.type = 19
    },
    .tensor("no dimensions", says: "expected 1 to 4, found 0") { $0.dimensions = [] },
    .tensor("five dimensions", says: "expected 1 to 4, found 5") {
      $0.dimensions = [1, 1, 1, 1, 1]
    },
    .tensor("a dimension of 0", says: "expected at least 1, found 0") { $0.dimensions = [0, 3] },
    .tensor("sizes that overflow", says: "fewer than 2^63 bytes") {
      $0.dimensions = [1 << 40, 1 << 40]
    },
    .tensor("more data than the file", says: "the end of the file") {
      $0.dimensions = [1 << 40, 3]
    },
    .tensor("an offset past the end", says: "the end of the file") { $0.offset = 1 << 50 },
    .tensor("an offset near 2^63", says: "the end of the file") {
      $0.offset = UInt64(Int.max) / 32 * 32
    },
    .tensor("an offset not aligned", says: "expected a multiple of 32, found 7") {
      $0.offset = 7
    },
    Damage("rows that are not whole blocks", says: "whole blocks of 32 Q4_0") {
      $0.tensors[2].dimensions = [33, 3]
    },
  ]

  @Test("Damaged files give one clear error", arguments: damages)
  func damaged(_ damage: Damage) throws {
    var writer = GGUFWriter.sample
    damage.apply(&writer)
    let error = try modelFileError { _ = try open(writer) }
    #expect("\(error)".contains(damage.says), "\(error)")
    #expect("\(error)".contains("model.gguf"))
  }

  @Test("A file cut anywhere is refused")
  func truncated() throws {
    let bytes = GGUFWriter.sample.bytes()
    for length in Array(stride(from: 1, to: bytes.count, by: 7)) {
      let path = try folder.write(Array(bytes[..<length]), as: "cut.gguf")
      _ = try modelFileError { _ = try GGUFFile(path: path) }
    }
  }

  @Test("A missing file, a folder and an empty file are refused")
  func unreadable() throws {
    let missing = try modelFileError { _ = try GGUFFile(path: "\(folder.path)/absent.gguf") }
    #expect("\(missing)".contains("No such file"))
    let directory = try modelFileError { _ = try GGUFFile(path: folder.path) }
    #expect("\(directory)".contains("Is a directory"))
    let empty = try folder.write("", as: "empty.gguf")
    #expect("\(try modelFileError { _ = try GGUFFile(path: empty) })".contains("an empty file"))
  }
}
