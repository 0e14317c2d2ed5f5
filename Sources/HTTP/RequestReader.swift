/// What was read of a connection and not parsed yet, and the parser that it goes through; bounded by
/// one read, since nothing is read while a request is being answered.
struct RequestReader {
  private(set) var parser: RequestParser
  private var bytes: [UInt8] = []
  /// Parsed up to here.
  private var position = 0

  init(limits: ServerLimits) {
    parser = RequestParser(limits: limits)
  }

  var isUsedUp: Bool { position == bytes.count }

  /// Bytes kept of requests that are not whole.
  var heldBytes: Int { bytes.count + parser.heldBytes }

  mutating func append(_ more: ByteSpan) { bytes.append(copying: more) }

  /// Throws away what is not a whole request.
  mutating func drop() {
    self = RequestReader(limits: parser.limits)
  }

  mutating func discardBody() { parser.discardBody() }

  mutating func next() throws(HTTPFailure) -> RequestParser.Step {
    // Taken out for the time being, so that the parser's window on it overlaps nothing.
    var window: [UInt8] = []
    swap(&window, &bytes)
    defer {
      if position == window.count {
        window.removeAll(keepingCapacity: window.capacity <= 4096)
        position = 0
      }
      swap(&window, &bytes)
    }
    return try parser.next(window.span, &position)
  }
}
