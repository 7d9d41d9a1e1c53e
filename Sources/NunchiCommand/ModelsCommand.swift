import ArgumentParser
import Foundation
import ModelFiles

/// `nunchi models`: the catalogue and the cache.
struct ModelsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models",
    abstract: "List, fetch and check models.",
    discussion: """
      Models are kept in $NUNCHI_CACHE/models (by default ~/.cache/nunchi/models). Beside the \
      built-in catalogue, models come from a YAML file of your own: the one that \
      $NUNCHI_CATALOGUE names, or ~/.config/nunchi/models.yaml.

        - name: My-Model
          categories: [korean]
          sha256: 0123456789abcdef…
          sources: [hf:OWNER/REPO/my-model.gguf, https://example.com/my-model.gguf]
      """,
    subcommands: [List.self, Fetch.self, Verify.self, Path.self],
    defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the models that can be fetched, and which are there.")

    @Option(help: "Only the models of this category.")
    var category: String?

    @Flag(help: "Print one JSON array.")
    var json = false

    func run() async throws {
      let catalogue = try ModelCatalogue.standard()
      let entries = try category.map(catalogue.entries(inCategory:)) ?? catalogue.entries
      let rows = entries.map { ListedModel($0, fetcher: ModelFetcher()) }
      if json {
        try printJSON(rows)
      } else {
        printTable(
          [["NAME", "SIZE", "STATUS", "LICENCE", "DESCRIPTION", "CATEGORIES"]]
            + rows.map { row in
              [
                row.name, row.size.map(formatBytes) ?? "?", row.status, row.licence ?? "?",
                row.description ?? "", row.categories.joined(separator: ", "),
              ]
            })
      }
    }
  }

  struct Fetch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Download models into the cache and check them.",
      discussion: """
        An interrupted download goes on where it stopped. A file whose checksum is wrong is \
        refused. $HF_ENDPOINT and $HF_TOKEN are used for hf: sources.
        """)

    @Argument(help: "Names of models.")
    var names: [String] = []

    @Option(help: "Fetch all models of this category, such as korean or size-comparison.")
    var category: String?

    func validate() throws {
      guard !names.isEmpty || category != nil else {
        throw ValidationError("Name at least one model, or a --category.")
      }
    }

    func run() async throws {
      let catalogue = try ModelCatalogue.standard()
      var entries = try names.map(catalogue.entry(named:))
      if let category { entries += try catalogue.entries(inCategory: category) }
      let fetcher = ModelFetcher()
      for entry in entries {
        let bar = ProgressBar(label: entry.name)
        defer { bar.clear() }
        let path = try fetcher.fetch(entry) { progress in
          switch progress.phase {
          case .waiting: bar.say("waiting for another download of it")
          case .downloading: bar.update(progress.bytes, of: progress.total)
          case .verifying: bar.say("checking")
          }
        }
        bar.clear()
        print(path)
      }
    }
  }

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check the files of fetched models against their checksums.")

    @Argument(help: "Names of models; all that are in the cache if none is given.")
    var names: [String] = []

    func run() async throws {
      let catalogue = try ModelCatalogue.standard()
      let fetcher = ModelFetcher()
      let entries =
        names.isEmpty
        ? catalogue.entries.filter {
          switch fetcher.status(of: $0) {
          case .present, .wrongSize: true
          case .partial, .missing: false
          }
        } : try names.map(catalogue.entry(named:))
      var failed = false
      for entry in entries {
        do {
          try fetcher.verify(entry)
          print("\(entry.name): ok")
        } catch {
          failed = true
          writeError("Error: \(error)")
        }
      }
      if failed { throw ExitCode.failure }
    }
  }

  struct Path: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print where a fetched model's file lies.")

    @Argument(help: "The name of a model, or a path.")
    var name: String

    func run() async throws {
      switch try ModelLocation.resolve(name) {
      case .gguf(let path): print(path)
      case .huggingFace(let folder): print(folder)
      }
    }
  }
}

/// A model as `models list --json` prints it.
private struct ListedModel: Encodable {
  var name: String
  var aliases: [String]
  var file: String
  var path: String
  /// Bytes.
  var size: Int?
  var sha256: String
  var licence: String?
  var description: String?
  var categories: [String]
  var sources: [String]
  var status: String
  /// Bytes of an interrupted download.
  var partialBytes: Int?

  init(_ entry: CatalogueEntry, fetcher: ModelFetcher) {
    name = entry.name
    aliases = entry.aliases
    file = entry.file
    path = fetcher.cache.path(of: entry)
    size = entry.size
    sha256 = entry.sha256
    licence = entry.licence
    description = entry.description
    categories = entry.categories
    sources = entry.sources.map(\.description)
    switch fetcher.status(of: entry) {
    case .present: status = "present"
    case .missing: status = "missing"
    case .wrongSize: status = "wrong size"
    case .partial(let bytes):
      status = "partial"
      partialBytes = bytes
    }
  }
}
