/// What goes wrong in data generation and training.
public enum TrainingError: Error, Equatable {
  /// Memory for training cannot be had; both in bytes.
  case notEnoughMemory(purpose: String, needed: Int, available: Int)
}
