/// Guesses of the tokens ahead, improved by one step of Jacobi iteration with each forward pass.
///
/// Column j begins with a guess of the token j places after the pending one's successor (its level
/// 0). The levels above it are the target's own answers to what is below them: the token at level
/// l, column j follows level l−1 of its column, and level 0 of column j follows level 0 of column
/// j−1. A column that has become an n-gram is handed out and loses its level 0, which moves it one
/// place on, just as the sequence does.
struct JacobiWindow: Equatable {
  /// Levels of a full column: one less than the tokens of an n-gram.
  let height: Int
  /// Each of 1 to `height` tokens.
  private(set) var columns: [[Int32]]

  /// - Parameter guess: gives the level 0 of a column about which nothing is known.
  init(width: Int, height: Int, guess: () -> Int32) {
    self.height = height
    columns = (0..<width).map { _ in [guess()] }
  }

  /// Takes the target's answers and moves on.
  /// - Parameters:
  ///   - answers: for each column the target's token after all of it; nil where it was not asked.
  ///   - places: how many tokens the sequence has grown by.
  ///   - guess: as for `init`.
  ///   - harvest: is given each n-gram, of `height + 1` tokens.
  mutating func advance(
    answers: [Int32?], by places: Int, guess: () -> Int32, harvest: (ArraySlice<Int32>) -> Void
  ) {
    var moved = [[Int32]](repeating: [], count: columns.count)
    for (column, answer) in answers.enumerated() {
      var tokens = columns[column][...]
      var place = column - places
      if let answer {
        tokens.append(answer)
        if tokens.count > height {
          harvest(tokens)
          tokens.removeFirst()
          place += 1
        }
      }
      // What stood before the pending token now is decided; the rest is still a guess.
      if place < 0 {
        tokens = tokens.dropFirst(-place)
        place = 0
      }
      if tokens.count > moved[place].count { moved[place] = Array(tokens) }
    }
    columns = moved.map { $0.isEmpty ? [guess()] : $0 }
  }
}
