import Foundation
import ModelFiles

/// The file of a suffix store: a header of 24 bytes (magic, vocabulary, checksum), then
/// records (magic, checksum, count, tokens of 4 bytes), little-endian.
///
/// Writers take turns by a lock on the file. One that is killed in the middle leaves bytes that
/// are no record: readers pass over them to the next one, and the next writer writes over them.
enum StoreFile {
  static let magic: [UInt8] = Array("NUNCHIST".utf8)
  static let recordMagic: UInt32 = 0x5245_434F
  static let headerBytes = 24
  static let recordHeaderBytes = 16

  static func header(vocabulary: UInt64) -> [UInt8] {
    var bytes = magic
    append(vocabulary, to: &bytes)
    append(bytes.withUnsafeBytes(checksum), to: &bytes)
    return bytes
  }

  static func record(_ tokens: [Int32]) -> [UInt8] {
    var body: [UInt8] = []
    append(UInt32(tokens.count), to: &body)
    for token in tokens { append(token, to: &body) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(body.count + 12)
    append(recordMagic, to: &bytes)
    append(body.withUnsafeBytes(checksum), to: &bytes)
    return bytes + body
  }

  /// The records of a file from an offset on, and where the last of them ends.
  static func records(in bytes: UnsafeRawBufferPointer, from start: Int) -> (
    records: [[Int32]], end: Int
  ) {
    var records: [[Int32]] = []
    var (offset, end) = (start, start)
    while offset + recordHeaderBytes <= bytes.count {
      guard let tokens = record(in: bytes, at: offset) else {
        offset += 1
        continue
      }
      records.append(tokens)
      offset += recordHeaderBytes + tokens.count * 4
      end = offset
    }
    return (records, end)
  }

  private static func record(in bytes: UnsafeRawBufferPointer, at offset: Int) -> [Int32]? {
    func number<Number: FixedWidthInteger>(_ place: Int) -> Number {
      Number(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: Number.self))
    }
    guard number(offset) == recordMagic else { return nil }
    let count = Int(number(offset + 12) as UInt32)
    guard count <= (bytes.count - offset - recordHeaderBytes) / 4 else { return nil }
    let end = offset + recordHeaderBytes + count * 4
    let body = UnsafeRawBufferPointer(rebasing: bytes[(offset + 12)..<end])
    guard number(offset + 4) == checksum(body) else { return nil }
    return (0..<count).map { number(offset + recordHeaderBytes + $0 * 4) }
  }

  private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
  }
}

/// A store's file, opened and locked until this object goes; also when the process is killed.
final class LockedStoreFile {
  let path: String
  private let descriptor: Int32
  /// All that is in it.
  private(set) var bytes: [UInt8] = []

  /// Opens the file, or makes an empty one, and waits until nobody else has it.
  init(path: String) throws {
    self.path = path
    while true {
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else { throw Self.unreadable(path) }
      while flock(descriptor, LOCK_EX) != 0 {
        guard errno == EINTR else {
          close(descriptor)
          throw Self.unreadable(path)
        }
      }
      // The one before us may have put another file under this name.
      var (opened, named) = (stat(), stat())
      if fstat(descriptor, &opened) == 0, stat(path, &named) == 0,
        opened.st_ino == named.st_ino, opened.st_dev == named.st_dev
      {
        self.descriptor = descriptor
        guard opened.st_mode & S_IFMT == S_IFREG else {
          throw StoreError.unreadable(path: path, reason: "it is not a regular file")
        }
        try read(size: Int(opened.st_size))
        return
      }
      close(descriptor)
    }
  }

  deinit { close(descriptor) }

  private func read(size: Int) throws {
    bytes = [UInt8](repeating: 0, count: size)
    var done = 0
    while done < size {
      let count = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress.map { $0 + done }, size - done, off_t(done))
      }
      guard count > 0 || (count < 0 && errno == EINTR) else { throw Self.unreadable(path) }
      done += max(count, 0)
    }
  }

  /// Puts bytes at an offset, and nothing after them.
  func write(_ new: [UInt8], at offset: Int) throws {
    guard ftruncate(descriptor, off_t(offset)) == 0,
      lseek(descriptor, off_t(offset), SEEK_SET) == offset
    else { throw StoreError.unwritable(path: path, reason: SystemError.last.description) }
    do {
      try new.withUnsafeBytes { try writeAll($0, to: descriptor) }
    } catch let error as SystemError {
      throw StoreError.unwritable(path: path, reason: error.description)
    }
  }

  /// Puts another file under this name, whole or not at all.
  func replace(with new: [UInt8]) throws {
    try AtomicFile.write(Data(new), to: path)
  }

  private static func unreadable(_ path: String) -> StoreError {
    .unreadable(path: path, reason: SystemError.last.description)
  }
}
