import Foundation
import Testing

@testable import ModelFiles

@Suite struct SafetensorsTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  /// A file with the given header text and data.
  static func file(header: String, data: [UInt8], length: UInt64? = nil) -> [UInt8] {
    var header = Array(header.utf8)
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    var bytes: [UInt8] = []
    bytes.append(littleEndian: length ?? UInt64(header.count))
    return bytes + header + data
  }

  static let sampleHeader = """
    {"__metadata__": {"format": "pt"},
     "norm": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
     "half": {"dtype": "F16", "shape": [1, 3], "data_offsets": [8, 14]},
     "brain": {"dtype": "BF16", "shape": [2, 1], "data_offsets": [14, 18]},
     "scalar": {"dtype": "BF16", "shape": [], "data_offsets": [18, 20]},
     "empty": {"dtype": "F32", "shape": [0, 7], "data_offsets": [20, 20]}}
    """
  static let sample = file(header: sampleHeader, data: Array(1...20))

  @Test("A single file gives its tensors")
  func single() throws {
    let file = try SafetensorsFile(path: folder.write(Self.sample, as: "model.safetensors"))
    #expect(Set(file.tensors.keys) == ["norm", "half", "brain", "scalar", "empty"])
    #expect(file.tensors["half"] == TensorInfo(name: "half", type: .f16, shape: [1, 3]))
    #expect(Array(try file.data(of: "norm")) == Array(1...8))
    #expect(Array(try file.data(of: "brain")) == [15, 16, 17, 18])
    #expect(try file.data(of: "empty").isEmpty)
    file.releasePages(of: "norm")
    #expect(Array(try file.data(of: "norm")) == Array(1...8))
    #expect(try SafetensorsFile(path: folder.path).tensors == file.tensors)
  }

  private func writeShards(_ map: String) throws {
    for name in ["a", "b"] {
      let header = #"{"\#(name)": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}"#
      let bytes = Self.file(header: header, data: Array(name.utf8) + [0, 0, 0])
      _ = try folder.write(bytes, as: "model-\(name).safetensors")
    }
    _ = try folder.write(#"{"weight_map": \#(map)}"#, as: "model.safetensors.index.json")
  }

  @Test("Shards named by an index are one file")
  func sharded() throws {
    try writeShards(#"{"a": "model-a.safetensors", "b": "model-b.safetensors"}"#)
    let file = try SafetensorsFile(path: folder.path)
    #expect(Set(file.tensors.keys) == ["a", "b"])
    #expect(try file.data(of: "a").first == UInt8(ascii: "a"))
    #expect(try file.data(of: "b").first == UInt8(ascii: "b"))
    #expect(
      try modelFileError { _ = try file.data(of: "c") }
        == .missingTensor(path: file.path, name: "c"))
  }

  @Test(
    "An index that leaves its folder or does not agree with its shards is refused",
    arguments: [
      (#"{"a": "../model-a.safetensors"}"#, "the plain name"),
      (#"{"a": "/etc/model-a.safetensors"}"#, "the plain name"),
      (#"{"a": "..\\model-a.safetensors"}"#, "the plain name"),
      (#"{"a": ".safetensors"}"#, "the plain name"),
      (#"{"a": "passwd"}"#, "the plain name"),
      (#"{"a": "model-c.safetensors"}"#, "No such file"),
      (#"{"a": "model-b.safetensors"}"#, "tensor 'a': expected in the file"),
      (#"{"a": 1}"#, "weight_map: expected a JSON object"),
      ("[]", "weight_map: expected a JSON object"),
    ])
  func badIndex(map: String, says: String) throws {
    try writeShards(map)
    let error = try modelFileError { _ = try SafetensorsFile(path: folder.path) }
    #expect("\(error)".contains(says), "\(error)")
  }

  private static func one(_ entry: String) -> String { #"{"t": {\#(entry)}}"# }

  @Test(
    "Damaged headers give one clear error",
    arguments: [
      ("", "header: expected a JSON object"),
      ("[1]", "header: expected a JSON object"),
      ("{\"t\": 3}", "header: expected a JSON object"),
      (String(repeating: "[", count: 100_000), "header: expected a JSON object"),
      (#"{"__metadata__": {"rows": 3}}"#, "__metadata__"),
      (one(#""dtype": "F32", "shape": [1]"#), "no 'data_offsets'"),
      (
        one(#""dtype": "F64", "shape": [1], "data_offsets": [0, 8]"#),
        "found safetensors type 'F64'"
      ),
      (one(#""dtype": "F32", "shape": [-1], "data_offsets": [0, 8]"#), "sizes of at least 0"),
      (
        one(#""dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 8]"#),
        "fewer than 2^63 bytes"
      ),
      (one(#""dtype": "F32", "shape": [2], "data_offsets": [0]"#), "data_offsets of tensor 't'"),
      (one(#""dtype": "F32", "shape": [2], "data_offsets": [0, 9]"#), "data_offsets of tensor 't'"),
      (one(#""dtype": "F32", "shape": [2], "data_offsets": [-8, 0]"#), "data_offsets"),
      (one(#""dtype": "F32", "shape": [4], "data_offsets": [0, 16]"#), "within 8 bytes of data"),
      (one(#""dtype": "F32", "shape": [1], "data_offsets": [0, 4]"#), "data: expected 4 bytes"),
      (one(#""dtype": "F32", "shape": [1], "data_offsets": [4, 8]"#), "data_offsets"),
      (
        one(
          #""dtype": "F32", "shape": [2], "data_offsets": [0, 9223372036854775807]"#),
        "data_offsets"
      ),
      (
        #"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},"#
          + #" "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}"#,
        "after the tensor before it"
      ),
      (
        #"{"a": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]},"#
          + #" "b": {"dtype": "F32", "shape": [1], "data_offsets": [2, 6]},"#
          + #" "c": {"dtype": "F16", "shape": [1], "data_offsets": [6, 8]}}"#,
        "a multiple of 4"
      ),
    ])
  func badHeader(header: String, says: String) throws {
    let bytes = Self.file(header: header, data: Array(1...8))
    let path = try folder.write(bytes, as: "bad.safetensors")
    let error = try modelFileError { _ = try SafetensorsFile(path: path) }
    #expect("\(error)".contains(says), "\(error)")
    #expect("\(error)".contains("bad.safetensors"))
  }

  @Test("A header longer than the file is refused", arguments: [21, 1 << 40, UInt64.max])
  func headerLength(_ length: UInt64) throws {
    let bytes = Self.file(header: "{}", data: [], length: length)
    let path = try folder.write(bytes, as: "long.safetensors")
    let error = try modelFileError { _ = try SafetensorsFile(path: path) }
    #expect("\(error)".contains("header length: expected at most 8"), "\(error)")
  }
}
