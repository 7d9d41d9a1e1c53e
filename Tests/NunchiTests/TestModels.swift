import Foundation
import LanguageModels
import ModelFiles

@testable import Nunchi

/// Models that tests share, loaded once.
enum TestModels {
  /// 98 MB, fetched when it is not there.
  static let smol = Task {
    try await onThread {
      let entry = try ModelCatalogue.standard().entry(named: "SmolLM2-135M")
      try ModelFetcher().fetch(entry)
      return try Model("SmolLM2-135M")
    }
  }

  static func isCached(_ name: String) -> Bool { (try? ModelLocation.resolve(name)) != nil }
}

/// Everything that a stream gives: the texts put together, and the result.
func collect(_ stream: GenerationStream) async throws -> (text: String, result: GenerationResult?) {
  var text = ""
  var result: GenerationResult?
  for try await event in stream {
    switch event {
    case .text(let piece): text += piece
    case .finished(let all): result = all
    }
  }
  return (text, result)
}
