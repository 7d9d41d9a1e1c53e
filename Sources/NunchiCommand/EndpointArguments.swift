import ArgumentParser
import Foundation

/// A server's key, from the environment, where commands and logs do not show it.
func apiKey(_ variable: String?) throws -> String? {
  try variable.map { name in
    guard let key = ProcessInfo.processInfo.environment[name], !key.isEmpty else {
      throw ValidationError("--api-key-env: expected \(name) in the environment, found nothing")
    }
    return key
  }
}
