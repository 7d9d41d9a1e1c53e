/// How much to draft.
public enum DraftLengthPolicy {
  /// Always this many tokens deep, whatever comes of it.
  case fixed(Int)
  /// What pays, as a controller finds.
  case controlled(SpeedController)
}
