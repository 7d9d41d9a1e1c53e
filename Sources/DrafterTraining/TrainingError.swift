/// What goes wrong in data generation and training.
public enum TrainingError: Error, Equatable {}
