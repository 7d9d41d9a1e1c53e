import ArgumentParser
import Drafters
import Evaluation
import Nunchi
import Speculation

/// What drafters draft with, for commands that say by name who drafts.
struct DraftingArguments: ParsableArguments {
  @Option(help: "A smaller model that drafts, of the same vocabulary or of another.")
  var draftModel: String?

  @Option(
    help: ArgumentHelp(
      "How the affine-tree drafter drafts: a YAML file with its tree, alignment and predictor.",
      discussion: "By the draft model's own probabilities if not given.", valueName: "file"))
  var affineTree: String?

  @Option(
    help: ArgumentHelp(
      "The folder of a trained drafter; may be given several times.",
      discussion:
        "The one that comes with Nunchi for the model, or else that 'nunchi train' put into the "
        + "cache, if not given. Among several tiny-lm the language of the text chooses.",
      valueName: "folder"))
  var trained: [String] = []

  @Option(
    help: ArgumentHelp(
      "A file for what a tiny-lm learns of the target while it drafts.",
      discussion: "It goes on with what the file has. Without it, nothing is learned.",
      valueName: "file"))
  var adapt: String?

  @Option(
    help: ArgumentHelp(
      "The folder of a draft model's vocabularies by language.",
      discussion: "'nunchi data vocabulary' makes it. The draft model's output is cut to the "
        + "language that is written.", valueName: "folder"))
  var draftVocabulary: String?

  @Option(
    help: ArgumentHelp(
      "How a draft model of another vocabulary drafts: auto, slem or tli.",
      discussion: "slem encodes its text anew, tli draws among the tokens of both."))
  var crossVocabulary = CrossVocabularyConfiguration.Method.auto

  @Option(help: "A file made by 'nunchi datastore build', for the rest drafter.")
  var datastore: String?

  @Option(help: "Keep outputs in this file, and let the suffix drafter match in earlier ones.")
  var suffixStore: String?

  @Option(
    help: ArgumentHelp(
      "How the draft model drafts: chain, dynamic, opt, or children a level such as 4,2,1.",
      discussion: "chain if not given.", valueName: "shape"))
  var draftTree: String?

  /// Refuses what none of the drafters drafts with, and drafters without what they need.
  /// - Parameter drafters: each may name several; none where the command chooses.
  func check(with drafters: [String]) throws {
    for drafter in drafters {
      try GenerationArguments.validate(
        NamedDrafter(drafter), hasDraftModel: draftModel != nil, hasTrained: !trained.isEmpty,
        hasDatastore: datastore != nil)
    }
    let all = drafters.joined(separator: ",")
    let names = Set(NamedDrafter(all).names.split(separator: ",").map(String.init))
    if let draftModel, !names.isEmpty,
      names.isDisjoint(with: GenerationArguments.draftModelDrafters)
    {
      throw ValidationError(
        "--draft-model \(draftModel): expected --drafter draft-model, found --drafter \(all)")
    }
    if let affineTree, !names.contains("affine-tree") {
      throw ValidationError(
        "--affine-tree \(affineTree): expected --drafter affine-tree, found "
          + (all.isEmpty ? "none" : all))
    }
    if !names.isEmpty {
      for folder in trained { try GenerationArguments.validate(trained: folder, drafter: all) }
    }
    if let adapt, !names.isEmpty, !names.contains("tiny-lm") {
      throw ValidationError("--adapt \(adapt): expected --drafter tiny-lm, found \(all)")
    }
    if let draftVocabulary, draftModel == nil {
      throw ValidationError(
        "--draft-vocabulary \(draftVocabulary): expected --draft-model MODEL, found none")
    }
    if let draftTree {
      do { _ = try DraftShape(parsing: draftTree) } catch {
        throw ValidationError("--\(error)")
      }
      if draftModel == nil, trained.isEmpty, !GenerationArguments.usesTrained(all) {
        throw ValidationError("--draft-tree \(draftTree): expected --draft-model MODEL, found none")
      }
    }
  }

  /// Drafters by their names, with all that they draft with; loads the draft model if there is one.
  func choice(named names: String, for target: Model) throws -> DrafterChoice {
    var choice = DrafterChoice(
      named: names, draftModel: try draftModel.map { try loadModel($0, sharing: target) })
    choice.trainedFolders = trained
    choice.settings.adaptation = try adapt.map { try HeadAdaptation(path: $0) }
    if let draftVocabulary, let draft = choice.draftModel {
      choice.settings.draftVocabularies = try DraftVocabularies(
        folder: draftVocabulary, vocabularySize: draft.transformer.vocabularySize)
    }
    choice.settings.crossVocabulary.method = crossVocabulary
    if let draftTree {
      choice.settings.draftModelConfiguration.shape = try DraftShape(parsing: draftTree)
      choice.settings.trainedShape = choice.settings.draftModelConfiguration.shape
    }
    choice.affineTree = try affineTree.map(AffineTreeConfiguration.init(path:))
    choice.settings.datastore = try datastore.map {
      try Datastore(path: $0, vocabulary: target.vocabularyFingerprint)
    }
    choice.settings.suffixStore = try suffixStore.map {
      try SuffixStore(path: $0, vocabulary: target.vocabularyFingerprint)
    }
    return choice
  }
}

extension CrossVocabularyConfiguration.Method: ExpressibleByArgument {}
