import ArgumentParser
import ModelFiles
import Nunchi
import NunchiDrafters

@main
struct RootCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nunchi",
    abstract: "Speculative decoding of language models on an ordinary CPU.",
    discussion: """
      A cheap drafter proposes tokens, the target model verifies them in one pass, and the text \
      stays exactly what the target alone would have written.

      MODEL is a name of the catalogue (see 'nunchi models list'), hf:OWNER/REPO or \
      hf:OWNER/REPO/FILE once it is fetched, the path of a .gguf file, or of a Hugging Face folder \
      (config.json, *.safetensors, tokenizer.json).

      Results go to standard output, progress and errors to standard error. The exit code is 0, \
      64 for a mistake on the command line, 128 and the signal's number where one ended it (130 \
      for Control-C), and 1 for any other failure.

      NUNCHI_CACHE names the folder for fetched models, NUNCHI_ISA (portable, avx2 or avx512) \
      forces an instruction set.
      """,
    version: "0.1.0",
    subcommands: [
      DemoCommand.self, GenerateCommand.self, ChatCommand.self, BenchCommand.self,
      ReportCommand.self, JudgeCommand.self, ExperimentCommand.self, ReplayCommand.self,
      VerifyCommand.self,
      DataCommand.self,
      TrainCommand.self,
      DatastoreCommand.self, ModelsCommand.self, InspectCommand.self, TokenizeCommand.self,
    ])

  /// Runs the command that the arguments name. Help, version and errors are written as all else is.
  static func main() async {
    StandardStreams.reserve()
    TrainedDrafterShelf.addShippedDrafters()
    do {
      var command = try await asyncParseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
      StandardStreams.exit(.success)
    } catch ModelFileError.noReader {
      StandardStreams.exit(.failure)
    } catch {
      let (code, message) = (exitCode(for: error), fullMessage(for: error))
      if !message.isEmpty {
        if code.isSuccess { print(message) } else { writeError(message) }
      }
      StandardStreams.exit(code)
    }
  }
}
