import Glibc

/// Whether a path still leads to what was opened, and not to another file or to nothing.
func isOpen(_ descriptor: Int32, as path: String) -> Bool {
  var (opened, named) = (stat(), stat())
  return unsafe fstat(descriptor, &opened) == 0 && stat(path, &named) == 0
    && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino
}

/// Bytes on their way to a file of the output folder. Under its own name, which begins with a dot,
/// until all is there; then at once under the name that it is for.
final class Spool {
  private static let bufferSize = 1 << 20

  let path: String
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  /// Bytes so far.
  private(set) var byteCount = 0

  init(path: String) throws(BulkError) {
    self.path = path
    descriptor = try Self.locked(path)
    guard ftruncate(descriptor, 0) == 0 else {
      throw BulkError("\(path) cannot be written: \(errorText())")
    }
  }

  /// Opens the file and locks it. What a process that is gone left behind is written over; what
  /// another one writes is not.
  private static func locked(_ path: String) throws(BulkError) -> Int32 {
    while true {
      let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else { throw BulkError("\(path) cannot be written: \(errorText())") }
      if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
        close(descriptor)
        throw BulkError("another encode writes \(path): give each process its own --shard")
      }
      // Another process may have finished and renamed the file since it was opened: it is a part now.
      if isOpen(descriptor, as: path) { return descriptor }
      close(descriptor)
    }
  }

  deinit { close(descriptor) }

  func append(_ bytes: [UInt8]) throws(BulkError) {
    try append { $0 += bytes }
  }

  /// Has the bytes written behind those that wait.
  func append(_ body: (inout [UInt8]) -> Void) throws(BulkError) {
    let before = buffer.count
    body(&buffer)
    byteCount += buffer.count - before
    if buffer.count >= Self.bufferSize { try flush() }
  }

  /// All bytes of another spool.
  func append(_ other: Spool) throws(BulkError) {
    try other.flush()
    var offset = 0
    while offset < other.byteCount {
      var piece = [UInt8](repeating: 0, count: min(Self.bufferSize, other.byteCount - offset))
      let count = unsafe piece.withUnsafeMutableBytes { bytes in
        unsafe pread(other.descriptor, bytes.baseAddress, bytes.count, offset)
      }
      guard count > 0 else { throw BulkError("\(other.path) cannot be read: \(errorText())") }
      try append(Array(piece[..<count]))
      offset += count
    }
  }

  /// Makes it lasting, and gives it its name.
  func finish(as name: String) throws(BulkError) {
    try flush()
    guard fsync(descriptor) == 0, unsafe rename(path, name) == 0 else {
      throw BulkError("\(name) cannot be written: \(errorText())")
    }
  }

  func remove() { unsafe unlink(path) }

  private func flush() throws(BulkError) {
    var start = 0
    while start < buffer.count {
      let count = unsafe buffer.withUnsafeBytes { bytes in
        unsafe write(descriptor, bytes.baseAddress?.advanced(by: start), bytes.count - start)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw BulkError("\(path) cannot be written: \(errorText())") }
      start += count
    }
    buffer.removeAll(keepingCapacity: true)
  }
}
