/// Refuses a setting that is out of range.
func checkRange<Value: Comparable>(
  _ name: String, _ value: Value, _ range: ClosedRange<Value>
) throws {
  guard range.contains(value) else {
    throw TrainingError.setting(
      name: name, expected: "\(range.lowerBound) to \(range.upperBound)", found: "\(value)")
  }
}

func checkRange(
  _ name: String, _ value: Int, _ range: ClosedRange<Int>, multipleOf divisor: Int
) throws {
  try checkRange(name, value, range)
  guard value % divisor == 0 else {
    throw TrainingError.setting(
      name: name, expected: "a multiple of \(divisor)", found: "\(value)")
  }
}
