// swift-tools-version: 6.1
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "nunchi",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Nunchi", targets: ["Nunchi"]),
    .executable(name: "nunchi", targets: ["NunchiCommand"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
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
    .target(name: "Tokenization", swiftSettings: strict),
    .target(
      name: "LanguageModels", dependencies: ["NunchiKernels", "ModelFiles"],
      swiftSettings: strict),
    .target(name: "Sampling", swiftSettings: strict),
    .target(
      name: "Speculation", dependencies: ["LanguageModels", "Sampling"], swiftSettings: strict),
    .target(name: "Drafters", dependencies: ["Speculation"], swiftSettings: strict),
    // Proofs that speculation changes nothing, for the tests and for `nunchi verify`.
    .target(
      name: "Losslessness", dependencies: ["Speculation", "Drafters"], swiftSettings: strict),
    .target(
      name: "Nunchi", dependencies: ["Drafters", "Tokenization", "ModelFiles"],
      swiftSettings: strict),
    // Suites, runs and metrics.
    .target(name: "Evaluation", dependencies: ["Nunchi"], swiftSettings: strict),
    .executableTarget(
      name: "NunchiCommand",
      dependencies: [
        "Nunchi", "Drafters", "Evaluation", "Losslessness", "ModelFiles", "Tokenization",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),
    // The README's library example, built with the rest so that it costs nothing more.
    .executableTarget(
      name: "Example", dependencies: ["Nunchi"], path: "Examples", swiftSettings: strict),

    // The VNNI kernels with their one instruction emulated.
    .target(name: "VNNIEmulation", dependencies: ["NunchiKernels"], path: "Tests/VNNIEmulation"),
    .testTarget(
      name: "KernelTests", dependencies: ["NunchiKernels", "VNNIEmulation"],
      swiftSettings: strict),
    .testTarget(name: "ModelFilesTests", dependencies: ["ModelFiles"], swiftSettings: strict),
    .testTarget(
      name: "TokenizationTests", dependencies: ["Tokenization", "ModelFiles", "Nunchi"],
      resources: [.copy("Goldens")], swiftSettings: strict),
    .testTarget(
      name: "LanguageModelsTests", dependencies: ["LanguageModels"],
      resources: [.copy("Goldens")], swiftSettings: strict),
    .testTarget(name: "SamplingTests", dependencies: ["Sampling"], swiftSettings: strict),
    .testTarget(
      name: "SpeculationTests", dependencies: ["Speculation", "Drafters", "Losslessness"],
      swiftSettings: strict),
    .testTarget(
      name: "NunchiTests", dependencies: ["Nunchi"],
      resources: [.copy("Goldens")], swiftSettings: strict),
    .testTarget(name: "EvaluationTests", dependencies: ["Evaluation"], swiftSettings: strict),
    .testTarget(name: "CommandTests", swiftSettings: strict),
  ]
)
