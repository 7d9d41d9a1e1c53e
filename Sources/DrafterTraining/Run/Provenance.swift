import Foundation
import ModelFiles

/// Where a drafter comes from: all that is needed to make it again.
public struct Provenance: Codable, Equatable, Sendable {
  /// The command line, the program's name first.
  public var command: [String]
  /// The commit of the checkout that the program lies in, with `-dirty` where files differ; nil
  /// when it lies in none.
  public var commit: String?
  /// When the run began, ISO 8601.
  public var date: String
  /// The files that it was trained on.
  public var data: [DataFile]
  /// The weights of the drafter that it started from; nil when it started from none.
  public var start: DataFile?
  /// Every seed by its name.
  public var seeds: [String: UInt64]
  public var versions: Versions
  /// The model that the drafter drafts for.
  public var target: Target?
  /// The trainer and what it was given.
  public var method: String?
  public var options: [String: String]?
  public var configuration: RunConfiguration?
  /// How often and with what the run was taken up again.
  public var resumptions: [Resumption] = []
  /// What came out: steps, tokens, seconds, the last validation.
  public var figures: [TrainingFigure] = []

  /// A file that the drafter was made of. It is known by its contents, not its place.
  public struct DataFile: Codable, Equatable, Sendable {
    public var name: String
    public var bytes: Int
    public var sha256: String

    public init(name: String, bytes: Int, sha256: String) {
      self.name = name
      self.bytes = bytes
      self.sha256 = sha256
    }
  }

  public struct Target: Codable, Equatable, Sendable {
    public var name: String
    /// Of the model's file.
    public var sha256: String
    public var vocabularyFingerprint: String

    public init(name: String, sha256: String, vocabularyFingerprint: String) {
      self.name = name
      self.sha256 = sha256
      self.vocabularyFingerprint = vocabularyFingerprint
    }
  }

  public struct Versions: Codable, Equatable, Sendable, CustomStringConvertible {
    public var nunchi: String
    public var swift: String
    public var system: String
    public var blas: String

    public init(nunchi: String, swift: String, system: String, blas: String) {
      self.nunchi = nunchi
      self.swift = swift
      self.system = system
      self.blas = blas
    }

    public var description: String { "nunchi \(nunchi), Swift \(swift), \(system), \(blas)" }
  }

  public struct Resumption: Codable, Equatable, Sendable {
    public var step: Int
    /// The steps that the run was to have before, where it was taken further.
    public var stepsBefore: Int?
    public var date: String
    public var command: [String]
    public var commit: String?
    public var versions: Versions
  }

  /// Writes `provenance.json` into a folder.
  func write(to folder: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(try encoder.encode(self), to: "\(folder)/provenance.json")
  }

  /// - Parameter command: the command line; by default this program's own.
  public init(
    command: [String] = CommandLine.arguments, commit: String? = Provenance.checkoutCommit(),
    date: Date = Date(), data: [DataFile] = [], seeds: [String: UInt64] = [:],
    versions: Versions, target: Target? = nil
  ) {
    self.command = command
    self.commit = commit
    self.date = date.formatted(.iso8601)
    self.data = data
    self.seeds = seeds
    self.versions = versions
    self.target = target
  }
}

extension Provenance.DataFile {
  /// Reads the checksum of a file, or of every file in a folder, in the order of their names.
  /// - Throws: `ModelFileError.unreadable`, `.missingProgram`.
  public static func files(at path: String) throws -> [Provenance.DataFile] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
    else { return [try file(at: path)] }
    return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
      .map { "\(path)/\($0)" }
      .filter { isRegularFile($0) }.map { try file(at: $0) }
  }

  private static func file(at path: String) throws -> Provenance.DataFile {
    let sha = try ModelFiles.sha256(ofFile: path)
    // Of what a link leads to.
    let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    let size = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int
    return Provenance.DataFile(
      name: URL(fileURLWithPath: path).lastPathComponent, bytes: size ?? 0, sha256: sha)
  }

  private static func isRegularFile(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && !isFolder.boolValue
  }
}
