import Foundation
import LanguageModels
import ModelFiles
import Speculation

/// Step traces as JSON lines: for each generation a header, then a line a step.
public struct TraceFile: Sendable {
  /// What a generation was made with.
  public struct Header: Sendable, Equatable, Codable {
    /// The format's version.
    public var nunchiTrace: Int
    public var model: String
    public var drafter: String
    public var rule: String
    public var threads: Int
    public var instructionSet: String
    /// What the target's passes cost; empty where nobody measured it.
    public var costs: [VerificationCosts.Point]

    public static let version = 1

    public init(model: Model, options: GenerationOptions, costs: VerificationCosts?) {
      self.init(
        model: model.name, drafter: options.drafter.name, rule: options.rule.name,
        threads: model.transformer.pool.threads, instructionSet: ComputePool.instructionSet,
        costs: costs?.points ?? [])
    }

    public init(
      model: String, drafter: String, rule: String, threads: Int, instructionSet: String,
      costs: [VerificationCosts.Point]
    ) {
      nunchiTrace = Self.version
      self.model = model
      self.drafter = drafter
      self.rule = rule
      self.threads = threads
      self.instructionSet = instructionSet
      self.costs = costs
    }
  }

  public let header: Header
  /// The steps of all generations, one after another; each begins with its prompt's.
  public let traces: [StepTrace]

  /// The lines of one generation.
  public static func lines(_ header: Header, _ traces: [StepTrace]) throws -> Data {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys]
    var data = try encoder.encode(header)
    for trace in traces {
      data.append(0x0A)
      data += try encoder.encode(trace)
    }
    data.append(0x0A)
    return data
  }

  /// Adds a generation to a file, which is made if it is not there.
  /// - Throws: `ModelFileError`.
  public static func append(_ header: Header, _ traces: [StepTrace], to path: String) throws {
    let data = try lines(header, traces)
    do {
      let descriptor = try OutputPlace(path).openForAppending()
      defer { close(descriptor) }
      try data.withUnsafeBytes { try ModelFiles.append($0, to: descriptor) }
    } catch let error as SystemError {
      throw ModelFileError(path: OutputPlace.name(path), error, needed: data.count)
    }
  }

  /// Reads a file.
  /// - Throws: `NunchiError.malformedTrace` naming the line, or `ModelFileError`.
  public init(path: String) throws {
    let data = try Data(reading: path)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    var header: Header?
    var traces: [StepTrace] = []
    for (index, line) in data.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated()
    where !line.isEmpty {
      func malformed(_ expected: String, _ found: String) -> NunchiError {
        .malformedTrace(path: path, line: index + 1, expected: expected, found: found)
      }
      if let found = try? decoder.decode(Header.self, from: line) {
        guard found.nunchiTrace == Header.version else {
          throw malformed("version \(Header.version)", "\(found.nunchiTrace)")
        }
        if let header, header.model != found.model || header.threads != found.threads {
          throw malformed(
            "generations of \(header.model) on \(header.threads) threads",
            "\(found.model) on \(found.threads)")
        }
        header = header ?? found
      } else if let trace = try? decoder.decode(StepTrace.self, from: line) {
        guard header != nil else { throw malformed("a header before the steps", "a step") }
        guard trace.isSound else { throw malformed("a draft tree", "parents out of order") }
        if trace.phase == .round, let last = traces.last {
          // A generation's steps follow one another without a gap.
          let expected = last.position &+ last.tokens.count
          guard trace.position == expected else {
            throw malformed("position \(expected)", "\(trace.position)")
          }
        }
        traces.append(trace)
      } else {
        throw malformed(
          "a header or a step of a trace", "\(String(decoding: line.prefix(40), as: UTF8.self))…")
      }
    }
    guard let header else {
      throw NunchiError.malformedTrace(
        path: path, line: 1, expected: "a trace written by --trace", found: "an empty file")
    }
    self.header = header
    self.traces = traces
  }
}

extension StepTrace {
  /// Whether its trees are trees: a replay follows their indices.
  fileprivate var isSound: Bool {
    proposals.allSatisfy { proposal in
      proposal.tokens.count == proposal.parents.count
        && proposal.tokens.count == proposal.scores.count
        && proposal.parents.indices.allSatisfy { (-1..<$0).contains(proposal.parents[$0]) }
    } && drafted.count == parents.count && accepted.count < max(1, tokens.count)
      && position >= 0 && position < Int(Int32.max)
  }
}
