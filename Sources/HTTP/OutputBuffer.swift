/// Bytes waiting for the socket. Small ones are copied together so that a head and its body, or
/// several pipelined answers, leave in one call; a large array is queued as it is.
struct OutputBuffer {
  /// Sent up to `offset` in the first one. Empty chunks do not occur.
  private var chunks: [[UInt8]] = []
  private var offset = 0
  /// Collects small appends; comes after `chunks`.
  private var tail: [UInt8] = []
  private(set) var count = 0

  /// At this size copying costs more than a second segment in the call.
  private static let largeBytes = 32768

  var isEmpty: Bool { count == 0 }

  mutating func append(_ bytes: [UInt8]) {
    count += bytes.count
    if bytes.count < Self.largeBytes {
      tail.append(contentsOf: bytes)
    } else {
      closeTail()
      chunks.append(bytes)
    }
  }

  mutating func append(_ text: StaticString) {
    // A StaticString's bytes live as long as the program.
    unsafe tail.append(
      contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    count += text.utf8CodeUnitCount
  }

  /// Appends what `write` appends to the array it is given.
  mutating func append(with write: (inout [UInt8]) -> Void) {
    let before = tail.count
    write(&tail)
    count += tail.count - before
  }

  private mutating func closeTail() {
    if tail.isEmpty { return }
    chunks.append(tail)
    tail = []
  }

  /// Gives the next bytes to send, in one or two runs.
  func withNext<Result>(_ body: (_ first: ByteSpan, _ second: ByteSpan) -> Result) -> Result {
    let first = chunks.first ?? tail
    let second = chunks.count > 1 ? chunks[1] : chunks.isEmpty ? [] : tail
    return body(first.span.extracting(offset..<first.count), second.span)
  }

  /// Drops what was sent.
  mutating func drop(_ sent: Int) {
    count -= sent
    offset += sent
    while let first = chunks.first, offset >= first.count {
      offset -= first.count
      chunks.removeFirst()
    }
    if chunks.isEmpty, offset == tail.count {
      offset = 0
      // The room is kept for the next answer, unless it is much.
      tail.removeAll(keepingCapacity: tail.capacity <= 4096)
    }
  }
}
