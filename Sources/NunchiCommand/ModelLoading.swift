import ArgumentParser
import Foundation
import LanguageModels
import Nunchi
import NunchiKernels

/// The model that a command works with, and the threads it computes on.
struct ModelArguments: ParsableArguments {
  @Argument(
    help: """
      A model's name, hf:OWNER/REPO[/FILE], the path of a .gguf file, or of a Hugging Face folder.
      """)
  var model: String

  @Option(
    name: [.short, .long],
    help: "Threads that compute; all of the machine's cores if not given.")
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads: expected 1 to 1024, found \(threads)")
    }
  }

  func load() throws -> Model { try loadModel(model, threads: threads) }
}

/// What stops a command before it has begun.
enum CommandError: Error, CustomStringConvertible {
  case unknownInstructionSet(String)
  case promptIsNotText(path: String)

  var description: String {
    switch self {
    case .unknownInstructionSet(let found):
      "NUNCHI_ISA: expected portable, avx2 or avx512, found \"\(found)\""
    case .promptIsNotText(let path):
      "\(path): expected UTF-8 text, found other bytes"
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
  defer { bar.clear() }
  let progress = { (share: Double) in bar.update(share: share) }
  if let companion {
    return try Model(name, pool: companion.transformer.pool, progress: progress)
  }
  return try Model(name, threads: threads, progress: progress)
}
