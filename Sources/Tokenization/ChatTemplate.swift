/// x
public struct ChatTemplate: Sendable { public init(source: String) throws {} }
