import Foundation

/// A file to read texts from.
struct InputFile {
  enum Kind {
    case html
    case text
    case lines
    case table
    case code(ProgrammingLanguage)
    /// Files that say the same line by line, by language.
    case parallel([(language: String, path: String)])
  }

  var path: String
  /// Its path from the input's own name on.
  var source: String
  var kind: Kind

  /// What the language codes in its path say, the last one first.
  var language: String? {
    source.split { $0 == "/" || $0 == "." }.reversed().lazy
      .compactMap { LanguageCode.of(String($0)) }.first
  }

  /// The source without the language codes in it: what translations have in common.
  var group: String {
    let parts = source.split(separator: "/").map { part in
      part.split(separator: ".", omittingEmptySubsequences: false)
        .filter { LanguageCode.of(String($0)) == nil }.joined(separator: ".")
    }
    return parts.filter { !$0.isEmpty }.joined(separator: "/")
  }

  /// The file at a path, or the files below it that can be read, by name.
  /// - Throws: `TrainingError.file` when there is nothing.
  static func files(of input: String) throws -> [InputFile] {
    let root = URL(fileURLWithPath: input)
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: input, isDirectory: &isFolder) else {
      throw TrainingError.file(path: input, reason: "expected a file or a folder, found nothing")
    }
    guard isFolder.boolValue else {
      if LanguageCode.of(root.pathExtension) != nil {
        return merged(siblings(of: root))
      }
      // In folders such files are settings more often than texts.
      let isJSON = root.pathExtension.lowercased() == "json"
      let kind = isJSON ? .lines : kind(of: root.pathExtension) ?? .text
      return [InputFile(path: input, source: root.lastPathComponent, kind: kind)]
    }
    let names = (FileManager.default.enumerator(atPath: input)?.compactMap { $0 as? String } ?? [])
      .sorted()
    let files = names.compactMap { name -> InputFile? in
      let ending = (name as NSString).pathExtension
      let isTranslation = LanguageCode.of(ending) != nil
      guard let kind = isTranslation ? .text : kind(of: ending) else { return nil }
      return InputFile(
        path: root.appendingPathComponent(name).path, source: "\(root.lastPathComponent)/\(name)",
        kind: kind)
    }
    guard !files.isEmpty else {
      throw TrainingError.file(
        path: input, reason: "expected files of text, HTML, JSON lines or code, found none")
    }
    return merged(files)
  }

  /// The files that are beside one in other languages, `news.en` beside `news.ko`, and itself.
  private static func siblings(of file: URL) -> [InputFile] {
    let folder = file.deletingLastPathComponent()
    let stem = file.deletingPathExtension().lastPathComponent
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().filter { name in
      (name as NSString).deletingPathExtension == stem
        && LanguageCode.of((name as NSString).pathExtension) != nil
    }.map {
      InputFile(path: folder.appendingPathComponent($0).path, source: $0, kind: .text)
    }
  }

  /// The files, with those that differ in a language code at their end made one.
  private static func merged(_ files: [InputFile]) -> [InputFile] {
    var merged: [InputFile] = []
    var places: [String: Int] = [:]
    for file in files {
      guard let language = LanguageCode.of((file.source as NSString).pathExtension) else {
        merged.append(file)
        continue
      }
      let stem = (file.source as NSString).deletingPathExtension
      var paths: [(language: String, path: String)] = []
      if let place = places[stem], case .parallel(let earlier) = merged[place].kind {
        paths = earlier
      }
      paths.append((language, file.path))
      let whole = InputFile(path: file.path, source: stem, kind: .parallel(paths))
      if let place = places[stem] {
        merged[place] = whole
      } else {
        places[stem] = merged.count
        merged.append(whole)
      }
    }
    return merged
  }

  private static func kind(of fileExtension: String) -> Kind? {
    switch fileExtension.lowercased() {
    case "html", "htm", "xhtml": .html
    case "jsonl": .lines
    case "tsv": .table
    case "txt", "text", "md", "rst": .text
    default: ProgrammingLanguage(fileExtension: fileExtension).map { .code($0) }
    }
  }
}

/// The codes of languages in the names of files and folders.
enum LanguageCode {
  private static let known: Set<String> = [
    "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "gl",
    "he", "hi", "hr", "hu", "id", "it", "ja", "ko", "lt", "lv", "nl", "no", "pl", "pt", "ro", "ru",
    "sk", "sl", "sv", "th", "tr", "uk", "ur", "vi", "zh",
  ]

  /// The language of `ko`, `en-US` or `zh_CN`, or nil for what is none.
  static func of(_ name: String) -> String? {
    let parts = name.split(separator: name.contains("_") ? "_" : "-")
    guard let first = parts.first, known.contains(String(first)) else { return nil }
    guard parts.count <= 2, name.count == (parts.count == 2 ? 3 + parts[1].count : 2) else {
      return nil
    }
    let isRegion = parts.dropFirst().allSatisfy {
      (2...4).contains($0.count) && $0.first?.isUppercase == true && $0.allSatisfy(\.isLetter)
    }
    let isLowercaseRegion = parts.dropFirst().allSatisfy {
      $0.count == 2 && $0.allSatisfy(\.isLetter)
    }
    return isRegion || isLowercaseRegion ? String(first) : nil
  }
}
