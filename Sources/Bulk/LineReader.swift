import Glibc

/// The lines of a file or pipe, one at a time, in bounded memory.
final class LineReader {
  enum Line {
    case bytes([UInt8])
    /// Longer than `limit`; it was read past and is gone.
    case tooLong
  }

  private static let chunkSize = 1 << 20

  private let descriptor: Int32
  private let limit: Int
  private var chunk: [UInt8] = []
  private var position = 0
  /// Bytes read from the descriptor.
  private(set) var byteCount = 0

  /// - Parameters:
  ///   - path: "-" is standard input.
  ///   - limit: bytes of the longest line.
  init(path: String, limit: Int) throws(BulkError) {
    self.limit = limit
    descriptor = path == "-" ? dup(STDIN_FILENO) : unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw BulkError("\(path) cannot be read: \(errorText())") }
  }

  deinit { close(descriptor) }

  /// The next line without its end (LF or CR LF); nil after the last.
  func next() throws(BulkError) -> Line? {
    var line: [UInt8] = []
    var hasBegun = false
    var isTooLong = false
    while try fill() {
      hasBegun = true
      let end = chunk[position...].firstIndex(of: UInt8(ascii: "\n"))
      let part = chunk[position..<(end ?? chunk.count)]
      isTooLong = isTooLong || line.count + part.count > limit
      if isTooLong { line = [] } else { line += part }
      position = end.map { $0 + 1 } ?? chunk.count
      if end != nil { break }
    }
    guard hasBegun else { return nil }
    if isTooLong { return .tooLong }
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    return .bytes(line)
  }

  /// False at the end.
  private func fill() throws(BulkError) -> Bool {
    if position < chunk.count { return true }
    var count = 0
    repeat {
      chunk = unsafe [UInt8](unsafeUninitializedCapacity: Self.chunkSize) { buffer, initialized in
        count = unsafe read(descriptor, buffer.baseAddress, buffer.count)
        initialized = max(0, count)
      }
    } while count < 0 && errno == EINTR
    guard count >= 0 else { throw BulkError("the input cannot be read: \(errorText())") }
    position = 0
    byteCount += count
    return count > 0
  }
}

/// What the last call of the system complained of.
func errorText() -> String { unsafe String(cString: strerror(errno)) }
