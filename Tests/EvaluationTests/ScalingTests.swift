import Foundation
import ModelFiles
import Testing

@testable import Evaluation

@Suite struct ScalingTests {
  private let model = ModelSize(
    name: "m", parameters: 1, layers: 10, hidden: 1000, kvHeads: 5, headSize: 100)
  private var roofline: Roofline {
    Roofline(
      accelerator: Accelerator(
        name: "a", arithmetic: 10, bandwidth: 100, memory: 80, source: "made up"),
      bytesPerWeight: 2, context: 1000, bandwidthShare: 0.5, computeShare: 0.5,
      overheadPerLayer: 0)
  }

  @Test("a pass takes what it must move or compute, whichever is more, as computed by hand")
  func pass() {
    // 2 GB of weights, 2·2·10·5·100·1000 bytes of cache: 0.02 GB; at 50 GB/s.
    let one = roofline.seconds(model, rows: 1)
    #expect(abs(one - 2.02 / 50) < 1e-12)
    // 2·10⁹ and 4·10·1000·1000 operations a row, at 5·10¹² a second: below memory's time.
    #expect(roofline.seconds(model, rows: 16) == one)
    let operations: Double = (2e9 + 4e7) * 1000
    #expect(abs(roofline.seconds(model, rows: 1000) - operations / 5e12) < 1e-12)
    var slow = roofline
    slow.overheadPerLayer = 0.001
    #expect(abs(slow.seconds(model, rows: 1) - one - 0.01) < 1e-12)
  }

  @Test("τ of a chain is the closed form's")
  func chain() {
    #expect(Roofline.acceptanceLength(0.5, length: 2) == 1.75)
    #expect(Roofline.acceptanceLength(0.9, length: 0) == 1)
    let closed: Double = (1 - 0.16807) / 0.3
    #expect(abs(Roofline.acceptanceLength(0.7, length: 4) - closed) < 1e-12)
  }

  @Test("a free draft always pays, one as dear as the target never; large batches end it")
  func limits() {
    var free = model
    free.parameters = 1e-6
    free.layers = 1
    free.kvHeads = 1
    let best = roofline.best(target: model, draft: free, acceptance: 0.99)
    #expect(best.length == 32)
    #expect(roofline.best(target: model, draft: model, acceptance: 0.8).length == 0)
    #expect(roofline.best(target: model, draft: model, acceptance: 0.8).speedup == 1)
    let crossover = roofline.crossover(target: model, draft: free, acceptance: 0.5)
    #expect(crossover.map { $0 > 64 && $0 <= 4096 } == true)
    #expect(roofline.crossover(target: model, draft: model, acceptance: 0.5) == 1)
  }

  @Test("batches go as far as memory holds weights and caches, and the crossover with them")
  func memory() {
    // 2 GB of weights each, 0.02 GB of cache a sequence each, in 80 GB.
    #expect(roofline.largestBatch(target: model, draft: model) == 1900)
    #expect(roofline.batches(target: model, draft: model).last == 1024)
    var small = roofline
    small.accelerator.memory = 4.03
    #expect(small.largestBatch(target: model, draft: model) == 0)
    #expect(small.batches(target: model, draft: model).isEmpty)
    #expect(small.crossover(target: model, draft: model, acceptance: 0.5) == nil)
    // A draft that pays until compute is short, which memory for eight sequences never makes it.
    var free = model
    (free.parameters, free.layers, free.kvHeads) = (1e-6, 1, 1)
    #expect((roofline.crossover(target: model, draft: free, acceptance: 0.5) ?? 0) > 8)
    small.accelerator.memory = 2.18
    #expect(small.largestBatch(target: model, draft: free) == 8)
    #expect(small.crossover(target: model, draft: free, acceptance: 0.5) == nil)
  }

  @Test(
    "every crossover of the shipped study lies within memory, and what fits nowhere is not drawn")
  func shippedMemory() throws {
    let study = try ScalingStudy()
    for row in try study.rows() {
      #expect(row.fits == (row.largestBatch > 0), "\(row)")
      #expect((row.crossover ?? 0) <= row.largestBatch, "\(row)")
    }
    try withTemporaryFile { path in
      let folder = "\(path)-scaling"
      let problems = try study.write(to: folder, command: ["nunchi"])
      #expect(problems.isEmpty)
      let page = try String(contentsOfFile: "\(folder)/index.html", encoding: .utf8)
      #expect(page.contains("On none of them fits: Llama-3-70B."))
      let speedups = try String(contentsOfFile: "\(folder)/speedup.csv", encoding: .utf8)
      let lines = speedups.split(separator: "\n")
      // All accelerators share one line as long as memory's speed decides.
      #expect(lines[0].contains("H100-80GB, H200, A100-80GB, RTX 3090 (≤ 7.62)"))
      let batches = try String(contentsOfFile: "\(folder)/batch.csv", encoding: .utf8)
      #expect(batches.split(separator: "\n").count > 5)
      #expect(!page.contains("above 4096"))
    }
  }

  @Test("lines that coincide are one line")
  func joined() {
    let curves = ScalingReport.joined([
      .init(names: ["a"], points: [1: 2]), .init(names: ["b"], points: [1: 2.001, 2: 3]),
      .init(names: ["c"], points: [1: 2.5]), .init(names: ["d"], points: [:]),
    ])
    #expect(curves.map(\.names) == [["b", "a (≤ 1)"], ["c"]])
  }

  @Test("the study that comes with Nunchi comes near the published figures")
  func published() throws {
    let study = try ScalingStudy()
    let checks = try study.checks()
    #expect(checks.count == study.definition.published.count && checks.count >= 7)
    // It knows nothing of what such systems do between passes, so it is above all of them; what it
    // tells is the order, and who loses.
    #expect(checks.allSatisfy { (-0.05...0.6).contains($0.error) }, "\(checks)")
    func model(_ method: String) -> Double {
      checks.first { $0.method == method }?.withOverhead ?? 0
    }
    #expect(model("SpS 1B, German") < 0.5 * model("SpS 68M, German"))
    #expect(model("EAGLE-3") > model("SAM+EAGLE-2"))
    #expect(model("SAM+EAGLE-2") > model("EAGLE-2"))
    #expect(model("EAGLE-2") > model("Token Recycling"))
    #expect(model("Token Recycling") > model("prompt lookup"))
    let rows = try study.rows()
    #expect(rows.count == study.definition.pairs.count * study.definition.accelerators.count)
    // 70 billion 16-bit parameters do not fit on one H100.
    #expect(rows.contains { $0.target == "Llama-3-70B" && !$0.fits })
  }

  @Test("a study of names that are not there is refused by name")
  func names() throws {
    try withTemporaryFile { path in
      let file = "\(path).yaml"
      try Data("pairs: [{target: nobody, draft: no one}]".utf8)
        .write(to: URL(fileURLWithPath: file))
      let error = #expect(throws: EvaluationError.self) { try ScalingStudy(path: file) }
      #expect(error?.description.contains("models: expected nobody, found") == true)
      try Data("speed: 3".utf8).write(to: URL(fileURLWithPath: file))
      #expect(throws: ModelFileError.self) { try ScalingStudy(path: file) }
      try Data("acceptance: 1".utf8).write(to: URL(fileURLWithPath: file))
      #expect(throws: EvaluationError.self) { try ScalingStudy(path: file) }
    }
  }
}

@Suite struct ExperimentDefinitionTests {
  @Test("those that come with Nunchi are sound", arguments: ExperimentDefinition.shipped)
  func shipped(name: String) throws {
    let definition = try ExperimentDefinition(named: name)
    #expect(definition.name == name)
    #expect(!definition.title.isEmpty)
    #expect(definition.arms.count * definition.cells.count > 1)
    #expect(try !Suite(path: definition.suite).questions.isEmpty)
    #expect(Set(definition.arms.map(\.name)).count == definition.arms.count)
  }

  @Test("those of the laboratory are there")
  func names() {
    #expect(
      ExperimentDefinition.shipped == [
        "draft-length", "language", "max-tokens", "prompt-length", "size-comparison",
        "target-comparison", "temperature", "tree-shape",
      ])
  }

  @Test(
    "what makes no sense is refused by file and field",
    arguments: [
      ("targets: []", "targets: expected at least one, found none"),
      ("name: ''", "name: expected a name, found none"),
      ("draft_lengths: [1, 500]", "draft_lengths: expected 0 to 128, found 500"),
      ("temperatures: [-1]", "temperatures: expected numbers from 0 up"),
      ("drafters: [none]", "drafters: expected drafters"), ("x: size", "x"),
      ("colour: 3", "colour"),
      ("by: moon", "by"),
      ("per_category: -1", "per_category: expected 0 to 1000000, found -1"),
      ("draft_trees: [bush]", "draft-tree: expected chain"), ("repeats: 0", "repeats: expected 1"),
    ])
  func refused(line: String, message: String) throws {
    try withTemporaryFile { path in
      let file = "\(path).yaml"
      let base = ["name: e", "targets: [m]"].filter {
        $0.split(separator: ":")[0] != line.split(separator: ":")[0]
      }
      try Data((base + [line]).joined(separator: "\n").utf8)
        .write(to: URL(fileURLWithPath: file))
      let error = #expect(throws: (any Error).self) { try ExperimentDefinition(named: file) }
      #expect("\(error.map { "\($0)" } ?? "")".contains(message), "\(String(describing: error))")
    }
  }

  @Test("a name may have hyphens or underscores, and what a file does not say is not limited")
  func spelling() throws {
    let names = ["size-comparison", "size_comparison"]
    #expect(Set(try names.map { try ExperimentDefinition(named: $0).name }) == ["size-comparison"])
    let definition = ExperimentDefinition()
    #expect(definition.perCategory == 0 && definition.limit == 0 && !definition.fresh)
  }

  @Test("the grid has every combination, once")
  func grid() throws {
    var definition = ExperimentDefinition()
    definition.targets = ["a", "b"]
    definition.drafters = ["d", "e"]
    definition.draftLengths = [1, 2, 4]
    definition.maxTokens = [8, 16]
    definition.temperatures = [0, 1]
    #expect(definition.cells.count == 8)
    #expect(definition.arms.map(\.name) == ["d n=1", "d n=2", "d n=4", "e n=1", "e n=2", "e n=4"])
  }

  @Test("a suite can be asked in some of its languages")
  func languages() throws {
    let suite = try Suite(path: "multilingual")
    let chosen = suite.selection(languages: ["ko", "de"], perCategory: 1)
    #expect(Set(chosen.map(\.language)) == ["ko", "de"])
    #expect(chosen.count < suite.selection(perCategory: 1).count)
    #expect(suite.selection(languages: ["xx"]).isEmpty)
  }

  @Test("drafters are named with their files, each behind its own name")
  func namedDrafters() {
    let named = NamedDrafter("suffix,eagle=a/b,ngram-lm=c,draft-model=lists,adapt=learned")
    #expect(named.names == "suffix,eagle,ngram-lm,draft-model")
    #expect(named.folders.map(\.name) == ["eagle", "ngram-lm"])
    #expect(named.folders.map(\.path) == ["a/b", "c"])
    #expect(named.vocabularies == "lists")
    #expect(named.adaptation == "learned")
    #expect(named.treeFile == nil)
    let several = NamedDrafter("suffix,tiny-lm=ko,tiny-lm=en")
    #expect(several.names == "suffix,tiny-lm")
    #expect(several.folders.map(\.path) == ["ko", "en"])
    let tree = NamedDrafter("affine-tree=tree.yaml")
    #expect(tree.hasAffineTree)
    #expect(tree.treeFile == "tree.yaml")
    #expect(tree.folders.isEmpty)
  }
}
