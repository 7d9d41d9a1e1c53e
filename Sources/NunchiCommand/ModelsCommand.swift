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
      built-in catalogue, models come from the Hugging Face hub, by their names there, and from a \
      YAML file of your own: the one that $NUNCHI_CATALOGUE names, or \
      ~/.config/nunchi/models.yaml.

        - name: My-Model
          categories: [korean]
          sha256: 0123456789abcdef…
          sources: [hf:OWNER/REPO/my-model.gguf, https://example.com/my-model.gguf]
        - name: My-Own-Model          # what 'nunchi models add' writes
          path: /models/own.gguf
      """,
    subcommands: [
      List.self, Status.self, Fetch.self, Verify.self, Path.self, Add.self, Remove.self,
    ],
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
      let fetcher = ModelFetcher()
      let models =
        try category.map(catalogue.models(inCategory:)) ?? fetcher.models(of: catalogue)
      let rows = models.map { ListedModel($0, fetcher: fetcher) }
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

  struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Tell what of each model is on this machine.",
      discussion: """
        The status is present, partial (an interrupted download), wrong size or missing. The \
        checksum is unchecked, unless --verify compares the files: then right or wrong; a model \
        of your own has an unknown one. What is fetched was checked when it came.
        """)

    @Argument(help: "Names of models; all if none is given.")
    var names: [String] = []

    @Flag(help: "Compare complete files with their checksums, which reads them whole.")
    var verify = false

    @Flag(help: "Print one JSON array.")
    var json = false

    func run() async throws {
      let fetcher = ModelFetcher()
      let rows = try chosen(names, fetcher: fetcher).map { model in
        ModelStatusRow(
          model, verify ? try fetcher.verifiedState(of: model) : fetcher.state(of: model))
      }
      if json { return try printJSON(rows) }
      printTable(
        [["NAME", "STATUS", "SIZE", "CHECKSUM", "PATH"]]
          + rows.map { row in
            let size = row.size.map(formatBytes) ?? "?"
            return [
              row.name, row.status,
              row.status == "partial" ? "\(formatBytes(row.bytes)) of \(size)" : size,
              row.status == "present" ? row.checksum : "", row.path,
            ]
          })
    }
  }

  struct Fetch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Download models into the cache and check them.",
      discussion: """
        hf:OWNER/REPO/FILE is a GGUF file of the Hugging Face hub. hf:OWNER/REPO is the \
        repository's *.safetensors with what belongs to them, or else its GGUF file: the only \
        one, or the only Q4_K_M. hf:OWNER/REPO@REVISION takes a branch, tag or commit. Where \
        conditions have to be accepted first, set $HF_TOKEN to your token; $HF_ENDPOINT names \
        another hub. A file that is there is not asked for again: 'nunchi models remove' first \
        brings the newest one.

        An interrupted download goes on where it stopped. A file whose checksum, the catalogue's \
        or the hub's, is wrong is refused.
        """)

    @Argument(help: "Names of models, or hf:OWNER/REPO[@REVISION][/FILE].")
    var names: [String] = []

    @Option(help: "Fetch all models of this category, such as korean or size-comparison.")
    var category: String?

    @Option(name: .customLong("sha256"), help: "What the SHA-256 of the one hf: file must be.")
    var checksum: String?

    func validate() throws {
      guard !names.isEmpty || category != nil else {
        throw ValidationError("Name at least one model, or a --category.")
      }
      guard let checksum else { return }
      guard checksum.wholeMatch(of: /[0-9A-Fa-f]{64}/) != nil else {
        throw ValidationError("--sha256: expected 64 hexadecimal digits, found '\(checksum)'")
      }
      guard category == nil, names.count == 1, names[0].hasPrefix("hf:") else {
        throw ValidationError("--sha256: expected one hf: name beside it, found other models")
      }
    }

    func run() async throws {
      let catalogue = try ModelCatalogue.standard()
      var models = try names.map(catalogue.model(named:))
      if let category { models += try catalogue.models(inCategory: category) }
      let fetcher = ModelFetcher()
      for model in models {
        let bar = ProgressBar(label: model.name)
        defer { bar.clear() }
        let location = try fetcher.fetch(model, sha256: checksum) { progress in
          switch progress.phase {
          case .waiting: bar.say("waiting for another download of it")
          case .downloading: bar.update(progress.bytes, of: progress.total)
          case .verifying: bar.say("checking")
          }
        }
        bar.clear()
        print(location.path)
      }
    }
  }

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check the files of fetched models against their checksums.")

    @Argument(help: "Names of models; all that are in the cache if none is given.")
    var names: [String] = []

    func run() async throws {
      let fetcher = ModelFetcher()
      let models = try chosen(names, fetcher: fetcher).filter { model in
        guard names.isEmpty else { return true }
        let state = fetcher.state(of: model)
        switch state.status {
        case .present, .wrongSize: return state.checksum != .unknown
        case .partial, .missing: return false
        }
      }
      var failed = false
      for model in models {
        do {
          try fetcher.verify(model)
          print("\(model.name): ok")
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
      print(try ModelLocation.resolve(name).path)
    }
  }

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Give a model on this machine a name.",
      discussion: """
        The name goes into your catalogue; the files stay where they are. 'nunchi models remove' \
        takes it out again.
        """)

    @Argument(help: "The name: a word that no other model has.")
    var name: String

    @Argument(
      help: "A .gguf file, or a folder with config.json, *.safetensors and tokenizer.json.",
      completion: .file())
    var path: String

    func run() async throws {
      let model = try ModelCatalogue.add(name, path: path)
      print("\(model.name): \(model.path), in \(ModelCatalogue.userPath())")
    }
  }

  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Remove fetched models from the cache, or names that were added.",
      discussion: """
        The files of a fetched model are deleted. Of a model that 'nunchi models add' named only \
        the name goes.
        """)

    @Argument(help: "Names of models.")
    var names: [String]

    func run() async throws {
      let fetcher = ModelFetcher()
      for model in try chosen(names, fetcher: fetcher) {
        if case .local(let local) = model {
          try ModelCatalogue.remove(local)
          print("\(local.name): the name is removed; the files stay at \(local.path)")
        } else {
          let bytes = fetcher.state(of: model).bytes
          try fetcher.remove(model)
          print("\(model.name): \(formatBytes(bytes)) removed")
        }
      }
    }
  }
}

/// The models of some names, or all.
private func chosen(_ names: [String], fetcher: ModelFetcher) throws -> [NamedModel] {
  let catalogue = try ModelCatalogue.standard()
  return names.isEmpty ? fetcher.models(of: catalogue) : try names.map(catalogue.model(named:))
}

extension ModelStatus {
  /// One word, or two.
  fileprivate var word: String {
    switch self {
    case .present: "present"
    case .missing: "missing"
    case .wrongSize: "wrong size"
    case .partial: "partial"
    }
  }
}

/// A model as `models list --json` prints it.
private struct ListedModel: Encodable {
  var name: String
  var aliases: [String] = []
  var file: String
  var path: String
  /// Bytes.
  var size: Int?
  /// Of a fetched model of one file.
  var sha256: String?
  var licence: String?
  var description: String?
  var categories: [String]
  var sources: [String] = []
  var status: String
  /// Bytes of an interrupted download.
  var partialBytes: Int?

  init(_ model: NamedModel, fetcher: ModelFetcher) {
    let state = fetcher.state(of: model)
    name = model.name
    path = state.path
    file = URL(fileURLWithPath: state.path).lastPathComponent
    size = state.size
    sha256 = fetcher.knownChecksum(of: model)
    status = state.status.word
    categories = model.categories
    if case .partial(let bytes) = state.status { partialBytes = bytes }
    switch model {
    case .catalogued(let entry):
      aliases = entry.aliases
      licence = entry.licence
      description = entry.description
      sources = entry.sources.map(\.description)
    case .local(let local):
      aliases = local.aliases
      licence = local.licence
      description = local.description
    case .hub:
      sources = [model.name]
    }
  }
}

/// A model as `models status --json` prints it.
private struct ModelStatusRow: Encodable {
  var name: String
  /// `present`, `partial`, `wrong size` or `missing`.
  var status: String
  var path: String
  /// Bytes of the whole model, if known.
  var size: Int?
  /// Bytes that are there.
  var bytes: Int
  /// `unchecked`, `right`, `wrong` or `unknown`.
  var checksum: String

  init(_ model: NamedModel, _ state: ModelState) {
    name = model.name
    status = state.status.word
    path = state.path
    size = state.size
    bytes = state.bytes
    checksum = state.checksum.rawValue
  }
}
