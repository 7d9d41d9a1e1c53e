/// A command as one types it in a shell, to be run again where it was run.
enum ShellCommand {
  /// - Parameter arguments: as processes get them; in place of the first one stands `nunchi`.
  static func line(_ arguments: [String]) -> String {
    guard !arguments.isEmpty else { return "" }
    return (["nunchi"] + arguments.dropFirst()).map(quoted).joined(separator: " ")
  }

  /// An argument in quotes where a shell would make something else of it.
  static func quoted(_ argument: String) -> String {
    let isPlain =
      !argument.isEmpty
      && argument.unicodeScalars.allSatisfy {
        $0.properties.isAlphabetic || $0.properties.numericType == .decimal
          || "-_./:=,+@%".unicodeScalars.contains($0)
      }
    return isPlain ? argument : "'\(argument.replacing("'", with: "'\\''"))'"
  }
}
