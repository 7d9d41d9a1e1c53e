import Foundation
import Synchronization

/// A line with a cursor, edited by characters as people see them.
struct EditedLine {
  private(set) var before = ""
  private(set) var after = ""

  var text: String { before + after }
  var isEmpty: Bool { before.isEmpty && after.isEmpty }

  mutating func set(_ text: String) { (before, after) = (text, "") }
  mutating func insert(_ text: String) { before += text }

  mutating func left() {
    if let character = before.popLast() { after = String(character) + after }
  }

  mutating func right() {
    if !after.isEmpty { before.append(after.removeFirst()) }
  }

  mutating func toStart() { (before, after) = ("", text) }
  mutating func toEnd() { (before, after) = (text, "") }
  mutating func eraseLeft() { _ = before.popLast() }
  mutating func eraseRight() { if !after.isEmpty { after.removeFirst() } }
  mutating func eraseToStart() { before = "" }
  mutating func eraseToEnd() { after = "" }

  mutating func leftByWord() {
    while before.last?.isWhitespace == true { left() }
    while before.last?.isWhitespace == false { left() }
  }

  mutating func rightByWord() {
    while after.first?.isWhitespace == true { right() }
    while after.first?.isWhitespace == false { right() }
  }

  mutating func eraseWord() {
    let end = after
    leftByWord()
    after = end
  }
}

/// A terminal that gives every key at once and shows nothing by itself.
final class RawMode: Sendable {
  /// How the terminal was before.
  private let usual = Mutex<termios?>(nil)

  /// - Returns: whether the terminal could be changed.
  func enter() -> Bool {
    var found = termios()
    guard tcgetattr(STDIN_FILENO, &found) == 0 else { return false }
    usual.withLock { $0 = found }
    var raw = found
    cfmakeraw(&raw)
    raw.c_oflag = found.c_oflag
    return tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0
  }

  /// Makes the terminal as it was. May be called at any time, from any thread.
  func leave() {
    usual.withLock { usual in
      if var found = usual { tcsetattr(STDIN_FILENO, TCSADRAIN, &found) }
      usual = nil
    }
  }
}

/// Reads lines from a terminal: arrow keys, history, and the control keys of shells. A long line
/// goes on in the next row.
final class LineEditor {
  private let prompt: String
  private var line = EditedLine()
  private var history: [String] = []
  /// The place in `history`, and what was typed before going there.
  private var place = 0
  private var typed = ""
  /// The row of the cursor in what is shown, counted from the prompt's.
  private var shownRow = 0
  let mode = RawMode()

  private enum End: Error { case line, input }

  /// nil where input or error output is no terminal that can be edited on.
  init?(prompt: String) {
    let terminal = ProcessInfo.processInfo.environment["TERM"] ?? "dumb"
    guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1, terminal != "dumb" else {
      return nil
    }
    self.prompt = prompt
  }

  /// The next line; nil at the end of the input.
  func readLine() -> String? {
    guard mode.enter() else { return Swift.readLine() }
    defer { mode.leave() }
    line = EditedLine()
    place = history.count
    shownRow = 0
    show()
    do {
      while true {
        try handle(nextByte())
        if !hasInput(milliseconds: 0) { show() }
      }
    } catch {
      line.toEnd()
      show()
      write("\n")
      if case End.input = error { return nil }
      let text = line.text
      if !text.isEmpty, history.last != text { history.append(text) }
      return text
    }
  }

  // MARK: keys

  private func handle(_ byte: UInt8) throws {
    switch byte {
    case 0x0A, 0x0D: throw End.line
    case control("A"): line.toStart()
    case control("B"): line.left()
    case control("C"): cancelLine()
    case control("D"):
      if line.isEmpty { throw End.input }
      line.eraseRight()
    case control("E"): line.toEnd()
    case control("F"): line.right()
    case control("H"), 0x7F: line.eraseLeft()
    case control("K"): line.eraseToEnd()
    case control("L"):
      write("\u{1B}[H\u{1B}[2J")
      shownRow = 0
    case control("N"): recall(place + 1)
    case control("P"): recall(place - 1)
    case control("U"): line.eraseToStart()
    case control("W"): line.eraseWord()
    case control("Z"): suspend()
    case 0x1B: try handleEscape()
    case 0x09: line.insert(" ")
    case 0x20...: try insertCharacter(byte)
    default: break
    }
  }

  private func control(_ letter: Unicode.Scalar) -> UInt8 { UInt8(letter.value & 0x1F) }

  /// Arrow keys and their like: ECMA-48's control sequences, and those that begin with ESC O.
  private func handleEscape() throws {
    // The key Escape comes alone.
    guard hasInput(milliseconds: 50) else { return }
    let kind = try nextByte()
    var parameters = ""
    var final = kind
    if kind == UInt8(ascii: "[") || kind == UInt8(ascii: "O") {
      final = try nextByte()
      while (0x20...0x3F).contains(final) {
        parameters.unicodeScalars.append(Unicode.Scalar(final))
        final = try nextByte()
      }
    }
    // A modifier comes after a semicolon: Control or Alt go by words.
    let byWord = parameters.contains(";")
    switch (kind == final ? "" : "[", Unicode.Scalar(final), parameters.prefix { $0 != ";" }) {
    case ("[", "A", _): recall(place - 1)
    case ("[", "B", _): recall(place + 1)
    case ("[", "C", _): byWord ? line.rightByWord() : line.right()
    case ("[", "D", _): byWord ? line.leftByWord() : line.left()
    case ("[", "H", _), ("[", "~", "1"), ("[", "~", "7"): line.toStart()
    case ("[", "F", _), ("[", "~", "4"), ("[", "~", "8"): line.toEnd()
    case ("[", "~", "3"): line.eraseRight()
    case ("", "b", _): line.leftByWord()
    case ("", "f", _): line.rightByWord()
    case ("", "\u{7F}", _): line.eraseWord()
    default: break
    }
  }

  /// A character's further bytes follow at once. Bytes that are no UTF-8 are left out.
  private func insertCharacter(_ first: UInt8) throws {
    let count = first < 0xC2 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    var bytes = [first]
    while bytes.count < count { bytes.append(try nextByte()) }
    if let text = String(validating: bytes, as: UTF8.self) { line.insert(text) }
  }

  private func recall(_ wanted: Int) {
    guard (0...history.count).contains(wanted) else { return }
    if place == history.count { typed = line.text }
    place = wanted
    line.set(wanted == history.count ? typed : history[wanted])
  }

  /// As shells do: the line is given up, and another begins below.
  private func cancelLine() {
    line.toEnd()
    show()
    write("^C\n")
    if line.isEmpty { write("Control-D ends the conversation.\n") }
    line = EditedLine()
    place = history.count
    shownRow = 0
  }

  private func suspend() {
    mode.leave()
    kill(getpid(), SIGTSTP)
    _ = mode.enter()
    shownRow = 0
  }

  // MARK: terminal

  private func nextByte() throws -> UInt8 {
    var byte: UInt8 = 0
    while true {
      let count = read(STDIN_FILENO, &byte, 1)
      if count == 1 { return byte }
      if count == 0 || errno != EINTR { throw End.input }
    }
  }

  private func hasInput(milliseconds: Int32) -> Bool {
    var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    return poll(&input, 1, milliseconds) > 0
  }

  private var columns: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// Draws prompt and line anew, and puts the cursor in its place.
  private func show() {
    let columns = columns
    var output = shownRow > 0 ? "\u{1B}[\(shownRow)A" : ""
    output += "\r\u{1B}[J" + prompt + line.text
    let end = Self.place(after: prompt + line.text, columns: columns)
    // A terminal goes to the next row only when something is written there.
    if end.column == 0, end.row > 0 { output += "\n" }
    // The character at the cursor goes to the next row when it does not fit.
    let next = line.after.first.map { String($0).displayWidth } ?? 1
    var cursor = Self.place(after: prompt + line.before, columns: columns)
    if cursor.column + next > columns { cursor = (cursor.row + 1, 0) }
    if end.row > cursor.row { output += "\u{1B}[\(end.row - cursor.row)A" }
    output += "\r"
    if cursor.column > 0 { output += "\u{1B}[\(cursor.column)C" }
    shownRow = cursor.row
    write(output)
  }

  /// Where a text that begins at the left edge ends.
  static func place(after text: String, columns: Int) -> (row: Int, column: Int) {
    var (row, column) = (0, 0)
    for character in text {
      let cells = String(character).displayWidth
      if column + cells > columns { (row, column) = (row + 1, 0) }
      column += cells
      if column >= columns { (row, column) = (row + 1, 0) }
    }
    return (row, column)
  }

  private func write(_ text: String) { writeErrorText(text) }
}
