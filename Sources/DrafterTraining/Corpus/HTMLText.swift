import Foundation

/// The readable text of an HTML page: its heading and its paragraphs, without navigation, scripts
/// and the like. Made for real pages, so it forgives whatever is not closed or not known.
struct HTMLText {
  /// The first heading of the first level, or the page's title.
  private(set) var title: String?
  private(set) var paragraphs: [String] = []

  private var pageTitle: String?
  private var current = ""
  /// The element whose content is left out, and how deep in others of its name.
  private var skipped: (name: String, depth: Int)?
  private var isPreformatted = false

  private static let skippedElements: Set<String> = [
    "aside", "button", "footer", "form", "header", "iframe", "label", "nav", "noscript", "object",
    "script", "select", "style", "svg", "template", "textarea",
  ]
  /// Their content is text up to their own end tag.
  private static let rawElements: Set<String> = ["script", "style", "textarea", "title"]
  private static let blockElements: Set<String> = [
    "address", "article", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl",
    "dt", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "head", "hr", "html", "li",
    "main", "ol", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead",
    "title", "tr", "ul",
  ]

  init(_ html: String) {
    var rest = Substring(html)
    while !rest.isEmpty {
      guard let open = rest.utf8.firstIndex(of: UInt8(ascii: "<")) else {
        append(rest)
        break
      }
      append(rest[..<open])
      rest = rest[open...]
      if rest.hasPrefix("<!--") {
        rest = Self.after("-->", in: rest.dropFirst(4))
      } else if let tag = Tag(&rest) {
        handle(tag, &rest)
      } else {
        // A lone "<" is text.
        append("<")
        rest = rest.dropFirst()
      }
    }
    flush()
    title = title ?? pageTitle
  }

  private mutating func handle(_ tag: Tag, _ rest: inout Substring) {
    if let skipped {
      guard tag.name == skipped.name else { return }
      let depth = skipped.depth + (tag.isEnd ? -1 : 1)
      self.skipped = depth == 0 ? nil : (skipped.name, depth)
      return
    }
    let isRaw = Self.rawElements.contains(tag.name) && !tag.isEnd
    let content = isRaw ? Self.before("</\(tag.name)", in: &rest) : nil
    if tag.name == "title", let content {
      pageTitle = pageTitle ?? Self.nonEmpty(TextNormalisation.prose(Self.decode(content)))
    } else if Self.skippedElements.contains(tag.name) {
      if !isRaw, !tag.isEnd, !tag.isSelfClosed { skipped = (tag.name, 1) }
    } else if tag.name == "br" {
      current += isPreformatted ? "\n" : " "
    } else if Self.blockElements.contains(tag.name) {
      let isHeading = tag.name == "h1" && tag.isEnd
      if isHeading, title == nil { title = Self.nonEmpty(TextNormalisation.prose(current)) }
      flush()
      if tag.name == "pre" { isPreformatted = !tag.isEnd }
    }
  }

  private mutating func append(_ text: some StringProtocol) {
    guard skipped == nil, !text.isEmpty else { return }
    let text = Self.decode(text)
    // A line break in the source is a space on the page.
    current += isPreformatted ? text : text.replacing("\n", with: " ")
  }

  private mutating func flush() {
    let paragraph =
      isPreformatted
      ? current.trimmingCharacters(in: .newlines) : TextNormalisation.prose(current)
    current = ""
    if paragraph.contains(where: { !$0.isWhitespace }) { paragraphs.append(paragraph) }
  }

  private static func nonEmpty(_ text: String) -> String? { text.isEmpty ? nil : text }

  /// Takes what comes before a mark, in whatever case it is; all when there is none.
  private static func before(_ mark: String, in rest: inout Substring) -> Substring {
    var search = rest
    while let place = search.utf8.firstIndex(of: UInt8(ascii: "<")) {
      if rest[place...].prefix(mark.count).lowercased() == mark {
        let text = rest[..<place]
        rest = rest[place...]
        return text
      }
      search = search[place...].dropFirst()
    }
    defer { rest = rest[rest.endIndex...] }
    return rest
  }

  private static func after(_ mark: String, in rest: Substring) -> Substring {
    rest.range(of: mark).map { rest[$0.upperBound...] } ?? rest[rest.endIndex...]
  }

  /// A start or end tag.
  private struct Tag {
    var name = ""
    var isEnd = false
    var isSelfClosed = false

    /// Takes a tag that the text begins with, or nothing when there is none.
    init?(_ rest: inout Substring) {
      var bytes = rest.utf8.dropFirst()
      if bytes.first == UInt8(ascii: "/") {
        isEnd = true
        bytes = bytes.dropFirst()
      }
      guard let first = bytes.first, Self.isLetter(first) || "!?".utf8.contains(first) else {
        return nil
      }
      let end = bytes.firstIndex {
        $0 <= 0x20 || $0 == UInt8(ascii: ">") || $0 == UInt8(ascii: "/")
      }
      name = (String(bytes[..<(end ?? bytes.endIndex)]) ?? "").lowercased()
      bytes = bytes[(end ?? bytes.endIndex)...]
      var quote: UInt8?
      var last: UInt8 = 0
      while let byte = bytes.popFirst() {
        if let open = quote {
          if byte == open { quote = nil }
        } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
          // Only the value of an attribute is quoted.
          if last == UInt8(ascii: "=") { quote = byte }
        } else if byte == UInt8(ascii: ">") {
          break
        }
        if byte > 0x20 { last = byte }
      }
      isSelfClosed = last == UInt8(ascii: "/")
      rest = Substring(bytes)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
      (0x61...0x7A).contains(byte | 0x20)
    }
  }
}
