import Foundation
import NunchiKernels
import Synchronization

/// The memory of all tensors. What a tensor gives back is kept for the next one of about its size,
/// as the steps of a training run ask for the same sizes again and again.
public enum TensorMemory {
  /// Small tensors come from malloc, the others from whole pages.
  private static let smallest = 1 << 16

  private struct State {
    /// Free blocks by their size.
    var free: [Int: [UnsafeMutableRawPointer]] = [:]
    var freeBytes = 0
    var usedBytes = 0
    var mostUsed = 0
  }

  nonisolated(unsafe) private static var state = State()
  private static let lock = Mutex(())

  /// Bytes that new tensors can have without swapping.
  public static var availableBytes: Int { lock.withLock { _ in available() } }

  /// Refuses what would not fit in the memory that is free now.
  /// - Throws: `TrainingError.notEnoughMemory`.
  public static func check(_ bytes: Int, for purpose: String) throws {
    let available = availableBytes
    guard bytes > available else { return }
    throw TrainingError.notEnoughMemory(purpose: purpose, needed: bytes, available: available)
  }

  /// Gives blocks that nobody uses back to the system.
  public static func trim() {
    lock.withLock { _ in releaseFree() }
  }

  /// Rounds up, by an eighth at most, so that sizes that differ a little share blocks.
  static func blockSize(_ bytes: Int) -> Int {
    let unit = max(64, 1 << max(0, Int.bitWidth - 1 - bytes.leadingZeroBitCount - 3))
    return (max(bytes, 1) + unit - 1) / unit * unit
  }

  /// A block of `blockSize(bytes)`, 64-byte aligned, its contents undefined; nil without memory.
  static func take(_ bytes: Int) -> UnsafeMutableRawPointer? {
    let size = blockSize(bytes)
    guard size >= smallest else {
      return UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    }
    return lock.withLock { _ in
      if let block = state.free[size]?.popLast() {
        state.freeBytes -= size
        return use(block, size)
      }
      // Sizes that are no longer asked for would pile up.
      if state.freeBytes > state.mostUsed / 2 { releaseFree() }
      if size > available() { return nil }
      guard let block = nk_allocate(size) else { return nil }
      return use(block, size)
    }
  }

  /// Takes back what `take(bytes)` gave.
  static func give(_ block: UnsafeMutableRawPointer, _ bytes: Int) {
    let size = blockSize(bytes)
    guard size >= smallest else { return block.deallocate() }
    lock.withLock { _ in
      state.usedBytes -= size
      state.freeBytes += size
      state.free[size, default: []].append(block)
    }
  }

  /// Address space that reads as zeros and takes no memory until it is written.
  static func reserve(_ bytes: Int) -> UnsafeMutableRawPointer? {
    let address = mmap(
      nil, max(bytes, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0)
    return address == MAP_FAILED ? nil : address
  }

  /// Takes back what `reserve(bytes)` gave.
  static func release(_ address: UnsafeMutableRawPointer, _ bytes: Int) {
    munmap(address, max(bytes, 1))
  }

  private static func use(_ block: UnsafeMutableRawPointer, _ size: Int) -> UnsafeMutableRawPointer
  {
    state.usedBytes += size
    state.mostUsed = max(state.mostUsed, state.usedBytes)
    return block
  }

  private static func releaseFree() {
    for (size, blocks) in state.free {
      for block in blocks { nk_free(block, size) }
    }
    state.free = [:]
    state.freeBytes = 0
  }

  private static func available() -> Int {
    #if os(Linux)
      guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8),
        let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") }),
        let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
      else { return Int.max }
      return kilobytes * 1024 + state.freeBytes
    #else
      return Int(clamping: ProcessInfo.processInfo.physicalMemory)
    #endif
  }
}
