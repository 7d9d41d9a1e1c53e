import Drafters
import LanguageModels

extension TrainingConfiguration where Drafter == EagleConfiguration {
  /// What suits a target.
  public static func standard(
    _ version: EagleVersion, for target: ModelConfiguration
  ) -> TrainingConfiguration {
    var configuration = TrainingConfiguration(drafter: .standard(version, for: target))
    configuration.run = .forStates
    return configuration
  }
}

extension TrainingConfiguration where Drafter == HeadsConfiguration {
  /// What suits Medusa and Hydra heads.
  public static var heads: TrainingConfiguration {
    var configuration = TrainingConfiguration(drafter: HeadsConfiguration())
    configuration.run = .forStates
    return configuration
  }
}

extension TrainingConfiguration where Drafter == TinyLMConfiguration {
  /// What suits tiny language models.
  public static var tinyLM: TrainingConfiguration {
    var configuration = TrainingConfiguration(drafter: TinyLMConfiguration())
    configuration.run = .forStates
    return configuration
  }
}

extension RunConfiguration {
  /// What suits drafters that learn from states.
  static var forStates: RunConfiguration {
    var run = RunConfiguration()
    run.batchTokens = 1024
    run.learningRate = 2e-3
    run.warmupShare = 0.03
    run.validateEvery = 250
    run.bestFigure = chainAcceptanceFigure
    run.bestIsHighest = true
    return run
  }
}
