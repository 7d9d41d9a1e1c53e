/// Static trees that Medusa was published with (2401.10774), as paths of ranks for
/// `DraftShape.paths`.
public enum MedusaChoices {
  /// The 63 nodes found best for Vicuna-7B's four heads (`mc_sim_7b_63`).
  public static let vicuna7B: [[Int]] = parse(
    """
    0 1 2 3 4 5 6 7 8 9
    00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 20 21 22 30 31 40 50 60 70 80 90
    000 001 002 003 004 005 006 007 008 009 010 011 012 020 021 030 040 050 060 070
    100 101 200 0000 0001
    """)

  /// A path is its ranks' digits.
  private static func parse(_ text: String) -> [[Int]] {
    text.split(whereSeparator: \.isWhitespace).map { $0.compactMap(\.wholeNumberValue) }
  }
}
