import NunchiKernels

extension ComputePool {
  /// Bytes a second that the pool's threads together read from memory. Takes about a second.
  public func measureReadBandwidth() -> Double {
    withPool { nk_measure_bandwidth($0, 512 << 20) }
  }

  /// Int8 multiply-accumulates a second of the pool's threads together, in registers. Takes less
  /// than a second.
  public func measureInt8Peak() -> Double {
    withPool { nk_measure_int8($0) }
  }

  /// The instruction set that the kernels use: `portable`, `avx2`, `avx512` or `avx512-vnni`.
  public static var instructionSet: String { String(cString: nk_isa_name(nk_isa_current())) }

  /// Tells builds apart whose kernels take different times.
  public static var kernelsVersion: String {
    String(cString: nk_version()) + (kernelsAreOptimized ? "" : " unoptimized")
  }

  /// Whether the compiler optimised the kernels, as release builds do.
  public static var kernelsAreOptimized: Bool { nk_is_optimized() }
}
