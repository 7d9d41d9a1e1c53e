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

extension TrainingConfiguration where Drafter == AlignmentConfiguration {
  /// Least squares alone; steps go on by gradient.
  public static var alignment: TrainingConfiguration {
    var configuration = TrainingConfiguration(drafter: AlignmentConfiguration())
    configuration.epochs = 0
    configuration.validation.prompts = 0
    configuration.run.steps = 0
    configuration.run.batchTokens = 1024
    configuration.run.learningRate = 3e-4
    configuration.run.validateEvery = 50
    configuration.run.patience = 3
    return configuration
  }
}

extension TrainingConfiguration where Drafter == PredictorConfiguration {
  /// What suits acceptance predictors.
  public static var predictor: TrainingConfiguration {
    var configuration = TrainingConfiguration(drafter: PredictorConfiguration())
    configuration.epochs = 0
    configuration.validation.prompts = 0
    configuration.run.steps = 1500
    configuration.run.batchTokens = 2048
    configuration.run.learningRate = 1e-3
    configuration.run.weightDecay = 0.05
    configuration.run.validateEvery = 150
    configuration.run.patience = 3
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
