// swift-tools-version: 6.1
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

// Code is inlined across modules in release builds, and SwiftPM rebuilds a target only when one that
// it names has changed. So each target names all that it is built from, not only its neighbours:
// otherwise an incremental build keeps stale copies of types whose layout has changed.
let models: [Target.Dependency] = ["LanguageModels", "ModelFiles", "NunchiKernels"]
let speculation: [Target.Dependency] = models + ["Sampling", "Speculation"]
let drafting: [Target.Dependency] = speculation + ["Drafters"]
let library: [Target.Dependency] = drafting + ["Tokenization", "Nunchi"]

let package = Package(
  name: "nunchi",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Nunchi", targets: ["Nunchi"]),
    .library(name: "NunchiDrafters", targets: ["NunchiDrafters"]),
    .executable(name: "nunchi", targets: ["NunchiCommand"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // C, thin: one portable version of every kernel and one per instruction set.
    .target(
      name: "NunchiKernels", linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
    // Parses files and fetches them, never computes.
    .target(
      name: "ModelFiles",
      dependencies: [.product(name: "Yams", package: "Yams")], swiftSettings: strict),
    // Plots by gnuplot.
    .target(name: "Plotting", dependencies: ["ModelFiles"], swiftSettings: strict),
    .target(name: "Tokenization", swiftSettings: strict),
    .target(
      name: "LanguageModels", dependencies: ["NunchiKernels", "ModelFiles"],
      swiftSettings: strict),
    .target(name: "Sampling", dependencies: ["NunchiKernels"], swiftSettings: strict),
    .target(
      name: "Speculation", dependencies: models + ["Sampling"], swiftSettings: strict),
    .target(name: "Drafters", dependencies: speculation, swiftSettings: strict),
    // Proofs that speculation changes nothing, for the tests and for `nunchi verify`.
    .target(name: "Losslessness", dependencies: drafting, swiftSettings: strict),
    .target(
      name: "Nunchi", dependencies: drafting + ["Tokenization"], swiftSettings: strict),
    // The trained drafters that come with Nunchi, for programs that want to carry them.
    .target(
      name: "NunchiDrafters", dependencies: library,
      resources: [.copy("TrainedDrafters")], swiftSettings: strict),
    // Servers that answer conversations by OpenAI's API.
    .target(name: "ChatEndpoints", dependencies: ["Tokenization"], swiftSettings: strict),
    // Debian's BLAS, for the matrix products of training.
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    // C: the rest of training's arithmetic, vectorised.
    .target(
      name: "TrainingKernels", linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
    // Autograd, optimizers, trainers, data. Inference never imports it.
    .target(
      name: "DrafterTraining",
      dependencies: library + [
        "ChatEndpoints", "COpenBLAS", "Plotting", "TrainingKernels",
        .product(name: "Yams", package: "Yams"),
      ], swiftSettings: strict),
    // Suites, runs and metrics.
    .target(
      name: "Evaluation",
      dependencies: library + [
        "ChatEndpoints", "Plotting", .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Mustache", package: "swift-mustache"),
      ],
      resources: [
        .copy("Resources/Suites"), .copy("Resources/Experiments"), .copy("Resources/page.mustache"),
        .copy("Resources/judge.yaml"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "NunchiCommand",
      dependencies: library + [
        "ChatEndpoints", "DrafterTraining", "Evaluation", "Losslessness", "NunchiDrafters",
        "Plotting", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),
    // The README's library example, built with the rest so that it costs nothing more.
    .executableTarget(
      name: "Example", dependencies: library, path: "Examples", exclude: ["AffineTree"],
      swiftSettings: strict),
    .executableTarget(
      name: "AffineTreeExample", dependencies: library + ["NunchiDrafters"],
      path: "Examples/AffineTree",
      swiftSettings: strict),

    // The VNNI kernels with their one instruction emulated.
    .target(name: "VNNIEmulation", dependencies: ["NunchiKernels"], path: "Tests/VNNIEmulation"),
    // An HTTP server whose answers a test decides.
    .target(name: "AnsweringServer", path: "Tests/AnsweringServer", swiftSettings: strict),
    .testTarget(
      name: "KernelTests", dependencies: ["NunchiKernels", "VNNIEmulation"],
      swiftSettings: strict),
    .testTarget(name: "ModelFilesTests", dependencies: ["ModelFiles"], swiftSettings: strict),
    .testTarget(
      name: "TokenizationTests", dependencies: library,
      resources: [.copy("Goldens")], swiftSettings: strict),
    .testTarget(
      name: "LanguageModelsTests", dependencies: models,
      resources: [.copy("Goldens")], swiftSettings: strict),
    .testTarget(name: "SamplingTests", dependencies: ["Sampling"], swiftSettings: strict),
    .testTarget(
      name: "SpeculationTests", dependencies: drafting + ["Losslessness"],
      swiftSettings: strict),
    .testTarget(
      name: "DrafterTests", dependencies: drafting + ["Losslessness"],
      resources: [.copy("Goldens")], swiftSettings: strict),
    .testTarget(
      name: "NunchiTests",
      dependencies: library + ["AnsweringServer", "Losslessness", "NunchiDrafters"],
      resources: [.copy("Goldens")], swiftSettings: strict),
    .testTarget(
      name: "DrafterTrainingTests",
      dependencies: library + [
        "AnsweringServer", "ChatEndpoints", "DrafterTraining", "NunchiDrafters", "Plotting",
        "TrainingKernels",
      ],
      resources: [.copy("Goldens")], swiftSettings: strict),
    .testTarget(
      name: "EvaluationTests",
      dependencies: library + [
        "AnsweringServer", "ChatEndpoints", "Evaluation", "Plotting",
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "CommandTests", dependencies: ["AnsweringServer"], swiftSettings: strict),
  ]
)
