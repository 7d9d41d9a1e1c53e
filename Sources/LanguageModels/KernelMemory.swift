import Foundation
import NunchiKernels

/// Zeroed memory for the kernels, 64-byte aligned. Pages take no room until they are touched.
final class KernelMemory: @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let bytes: Int

  /// - Parameter purpose: what the error says the memory was for.
  /// - Throws: `LanguageModelError.notEnoughMemory`.
  init(bytes: Int, for purpose: String) throws {
    let bytes = max(bytes, 64)
    guard let base = nk_allocate(bytes) else {
      throw LanguageModelError.notEnoughMemory(
        purpose: purpose, needed: bytes, available: Self.available ?? 0)
    }
    self.base = base
    self.bytes = bytes
  }

  deinit { nk_free(base, bytes) }

  /// Refuses what would not fit in the memory that is free now, where the system tells it.
  static func check(_ bytes: Int, for purpose: String) throws {
    guard let available, bytes > available else { return }
    throw LanguageModelError.notEnoughMemory(
      purpose: purpose, needed: bytes, available: available)
  }

  /// Bytes that can be allocated without swapping.
  private static var available: Int? {
    #if os(Linux)
      guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8),
        let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") }),
        let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
      else { return nil }
      return kilobytes * 1024
    #else
      return Int(clamping: ProcessInfo.processInfo.physicalMemory)
    #endif
  }
}
