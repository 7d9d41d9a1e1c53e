import Foundation
import Testing

extension CommandTests {
  /// The command, away from where it was built.
  @Suite struct Resources {
    init() async throws { try await CommandTests.fetchModel() }

    private static let drafter =
      "generate \(CommandTests.model) Once --max-tokens 4 --drafter tiny-lm"

    @Test("without its resources the command works, and names what it lacks in one line")
    func alone() async throws {
      try await withTemporaryFolder { folder in
        let program = folder.appendingPathComponent("nunchi")
        try place(nunchiExecutable(), at: program)
        func run(_ arguments: String) async throws -> CommandRun {
          try await bash(
            "'\(program.path)' \(arguments)",
            environment: ["NUNCHI_CACHE": try cache(with: CommandTests.model, in: folder)])
        }
        #expect(try await run("--version").code == 0)
        let answer = try await run("generate \(CommandTests.model) Once --max-tokens 4")
        #expect(answer.code == 0 && answer.output.count > 1, "\(answer.errors)")
        for (arguments, message) in [
          (Self.drafter, "drafter tiny-lm: expected one trained for \(CommandTests.model)"),
          ("experiment run basic", "one of those in nunchi_Evaluation.resources, found neither"),
          ("experiment scaling", "nunchi_Evaluation.resources/Experiments/scaling.yaml: expected"),
          (
            "bench run \(CommandTests.model) --suite multilingual",
            "multilingual: expected a readable suite"
          ),
        ] {
          let failed = try await run(arguments)
          #expect(failed.code == 1, "\(arguments)")
          #expect(failed.errors.contains(message), "\(failed.errors)")
          #expect(failed.errors.split(separator: "\n").count == 1, "\(failed.errors)")
        }
      }
    }

    @Test("installed, it finds them beside the file that a link leads to")
    func installed() async throws {
      try await withTemporaryFolder { folder in
        let files = FileManager.default
        let (library, bin) = (
          folder.appendingPathComponent("lib/nunchi"), folder.appendingPathComponent("bin")
        )
        for path in [library, bin] {
          try files.createDirectory(at: path, withIntermediateDirectories: true)
        }
        try place(nunchiExecutable(), at: library.appendingPathComponent("nunchi"))
        let built = try nunchiExecutable().deletingLastPathComponent()
        for target in ["Evaluation", "NunchiDrafters"] {
          let name = "nunchi_\(target).resources"
          try files.createSymbolicLink(
            at: library.appendingPathComponent(name),
            withDestinationURL: built.appendingPathComponent(name))
        }
        let link = bin.appendingPathComponent("nunchi")
        try files.createSymbolicLink(
          atPath: link.path, withDestinationPath: "../lib/nunchi/nunchi")
        let variables = ["NUNCHI_CACHE": try cache(with: CommandTests.model, in: folder)]
        let run = try await bash("'\(link.path)' \(Self.drafter)", environment: variables)
        #expect(run.code == 0, "\(run.errors)")
        let experiment = try await bash("'\(link.path)' experiment run nowhere")
        #expect(experiment.errors.contains("one of draft-length, "), "\(experiment.errors)")
      }
    }

    /// A cache with the models of the usual one and no drafters that were trained here.
    private func cache(with model: String, in folder: URL) throws -> String {
      let cache = folder.appendingPathComponent("cache")
      let files = FileManager.default
      guard !files.fileExists(atPath: cache.path) else { return cache.path }
      try files.createDirectory(at: cache, withIntermediateDirectories: true)
      let environment = ProcessInfo.processInfo.environment
      let usual = environment["NUNCHI_CACHE"] ?? "\(NSHomeDirectory())/.cache/nunchi"
      try files.createSymbolicLink(
        at: cache.appendingPathComponent("models"),
        withDestinationURL: URL(fileURLWithPath: "\(usual)/models"))
      return cache.path
    }

    /// Puts a program somewhere else: under a second name of the same file where that can be.
    private func place(_ program: URL, at goal: URL) throws {
      do {
        try FileManager.default.linkItem(at: program, to: goal)
      } catch {
        try FileManager.default.copyItem(at: program, to: goal)
      }
    }
  }
}
