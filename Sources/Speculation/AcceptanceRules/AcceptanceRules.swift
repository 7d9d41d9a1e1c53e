/// All acceptance rules by name.
public enum AcceptanceRules {
  public struct Entry: Sendable {
    public let rule: any AcceptanceRule
    /// One line for help texts.
    public let summary: String

    public var name: String { rule.name }
  }

  /// The default first.
  public static let entries: [Entry] = [
    Entry(
      rule: SampleAndMatch(),
      summary: "the tokens of plain decoding, the same for the same seed"),
    Entry(rule: GreedyRule(), summary: "the most probable tokens; needs temperature 0"),
    Entry(
      rule: RejectionSampling(),
      summary: "the distribution of plain decoding, token by token"),
    Entry(
      rule: BlockVerification(),
      summary: "the distribution of plain decoding, the draft as a whole: accepts more"),
    Entry(
      rule: TypicalAcceptance(),
      summary: "LOSSY: changes the output, keeping all that the model finds plausible"),
  ]

  /// - Throws: `SpeculationError.unknownRule`.
  public static func named(_ name: String) throws -> any AcceptanceRule {
    guard let entry = entries.first(where: { $0.name == name }) else {
      throw SpeculationError.unknownRule(name: name, known: entries.map(\.name))
    }
    return entry.rule
  }
}
