import ArgumentParser
import Foundation
import LanguageModels
import Nunchi
import NunchiKernels
import Synchronization
import Tokenization

/// The model that a command works with, and the threads it computes on.
struct ModelArguments: ParsableArguments {
  @Argument(
    help: """
      A model's name, hf:OWNER/REPO[/FILE], the path of a .gguf file, or of a Hugging Face folder.
      """)
  var model: String

  @OptionGroup var computing: ThreadArguments

  var threads: Int? { computing.threads }

  func load() throws -> Model { try loadModel(model, threads: threads) }
}

/// The threads that a command computes on.
struct ThreadArguments: ParsableArguments {
  @Option(
    name: [.short, .long],
    help: "Threads that compute; all of the machine's cores if not given.")
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads: expected 1 to 1024, found \(threads)")
    }
  }
}

/// What the model is for that everybody fetches first.
let smallModelHelp = """
  SmolLM2-135M is for first steps, tests and measurements: it is quick, and answers simple \
  questions, but its facts are often wrong. Qwen2.5-Coder-1.5B answers better.
  """

/// What stops a command before it has begun.
enum CommandError: Error, CustomStringConvertible {
  case unknownInstructionSet(String)
  case promptIsNotText(path: String)
  case noChatModel

  var description: String {
    switch self {
    case .unknownInstructionSet(let found):
      "NUNCHI_ISA: expected portable, avx2 or avx512, found \"\(found)\""
    case .promptIsNotText(let path):
      "\(path): expected UTF-8 text, found other bytes"
    case .noChatModel:
      "model: expected a name, or a chat model in the cache ('nunchi models fetch SmolLM2-135M'), "
        + "found none"
    }
  }
}

/// Loads a model with a progress bar.
/// - Parameter companion: the model whose threads it shares.
func loadModel(_ name: String, threads: Int? = nil, sharing companion: Model? = nil) throws
  -> Model
{
  if let set = ProcessInfo.processInfo.environment["NUNCHI_ISA"],
    !["portable", "avx2", "avx512"].contains(set)
  {
    throw CommandError.unknownInstructionSet(set)
  }
  let bar = ProgressBar(label: "loading \(name)")
  let model: Model
  do {
    defer { bar.clear() }
    let progress = { (share: Double) in bar.update(share: share) }
    if let companion {
      model = try Model(name, pool: companion.transformer.pool, progress: progress)
    } else {
      model = try Model(name, threads: threads, progress: progress)
    }
  }
  writeWarnings(model.loadingWarnings, of: name)
  return model
}

/// Loads a model's tokenizer and nothing else of it.
func loadTokenizer(_ name: String) throws -> Tokenizer {
  let tokenizer = try loadTokenizer(named: name)
  writeWarnings(tokenizer.warnings, of: name)
  return tokenizer
}

private let writtenWarnings = Mutex<Set<String>>([])

/// Writes what was found while loading, each warning once in a process.
private func writeWarnings(_ warnings: [String], of name: String) {
  for warning in warnings.map({ "Warning: \(name): \($0)" })
  where writtenWarnings.withLock({ $0.insert(warning).inserted }) {
    writeError(warning)
  }
}
