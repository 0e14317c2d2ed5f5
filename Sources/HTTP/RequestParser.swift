import HTTPTypes
import UntrustedInput

/// Bytes to requests, RFC 9112; resumable at every byte.
///
/// Everything but body data comes in lines, and a line is looked at once it is whole, so an answer
/// cannot depend on how the bytes were cut. Where the RFC leaves a choice the strict one is taken:
/// a lenient reading is what request smuggling lives on.
struct RequestParser {
  enum Step {
    /// Everything given is used up.
    case needsMore
    /// Call again for the body, or `discardBody()` first.
    case head(RequestHead)
    /// The request is whole. Call again for the next one.
    case body([UInt8])
  }

  private enum State {
    case requestLine(blankLines: Int)
    case fields
    case data(remaining: Int)
    case chunkSize
    case chunk(remaining: Int)
    case chunkEnd
    case trailers
  }

  let limits: ServerLimits
  private var state = State.requestLine(blankLines: 0)
  /// The start of a line whose end has not arrived.
  private var partialLine: [UInt8] = []
  private var head = HeadBuilder()
  /// Bytes and lines of the fields (or the trailers) so far.
  private var fieldBytes = 0
  private var fieldCount = 0
  private var body: [UInt8] = []
  private var bodyCount = 0
  private var discardsBody = false
  private var extensionBytes = 0

  init(limits: ServerLimits) {
    self.limits = limits
  }

  /// Whether part of a request (more than empty lines before it) has been read.
  var isInsideRequest: Bool {
    if case .requestLine = state { return !partialLine.isEmpty }
    return true
  }

  /// Whether a head is whole and its body is not.
  var isInsideBody: Bool {
    switch state {
    case .requestLine, .fields: false
    case .data, .chunkSize, .chunk, .chunkEnd, .trailers: true
    }
  }

  /// Bytes kept of the request being read.
  var heldBytes: Int { partialLine.count + fieldBytes + body.count }

  var method: HTTPRequest.Method? { head.method }

  /// What is known of the request being read, for the answer to a malformed one.
  func part(remoteAddress: String) -> RequestPart {
    RequestPart(
      method: head.method, path: head.path, fields: head.fields, remoteAddress: remoteAddress)
  }

  /// Reads the body without keeping it; `.body` is then empty.
  mutating func discardBody() {
    discardsBody = true
  }

  /// Reads on from `input[position]`, and moves `position` past what it used.
  mutating func next(
    _ input: ByteSpan, _ position: inout Int
  ) throws(HTTPFailure) -> Step {
    while true {
      switch state {
      case .data(let remaining):
        if remaining == 0 { return finishRequest() }
        let taken = take(remaining, input, &position)
        if taken == 0 { return .needsMore }
        state = .data(remaining: remaining - taken)
      case .chunk(let remaining):
        let taken = take(remaining, input, &position)
        if taken == 0 { return .needsMore }
        state = taken == remaining ? .chunkEnd : .chunk(remaining: remaining - taken)
      case .requestLine, .fields, .chunkSize, .chunkEnd, .trailers:
        let limit = lineLimit
        let step: Step?
        switch try nextLine(input, &position, limit: limit.bytes, overflow: limit.overflow) {
        case .incomplete:
          return .needsMore
        case .inInput(let range):
          step = try read(line: input.extracting(range))
        case .held:
          var line: [UInt8] = []
          swap(&line, &partialLine)
          step = try read(line: line.span)
        }
        if let step { return step }
      }
    }
  }

  // MARK: Lines

  private enum Line {
    case incomplete
    case inInput(Range<Int>)
    /// In `partialLine`.
    case held
  }

  /// Finds the next CRLF. Control bytes, a CR alone and an LF alone are refused wherever a line
  /// stands (RFC 9112 section 2.2; RFC 9110 section 5.5), at whichever byte they come.
  private mutating func nextLine(
    _ input: ByteSpan, _ position: inout Int, limit: Int, overflow: HTTPFailure
  ) throws(HTTPFailure) -> Line {
    let start = position
    if start == input.count { return .incomplete }
    if partialLine.last == 0x0D {
      guard input[start] == 0x0A else { throw .malformed("a CR must be followed by an LF") }
      partialLine.removeLast()
      position = start + 1
      return .held
    }
    // One byte past the limit may be looked at: it must then be the CR.
    let end = min(input.count, start + max(0, limit - partialLine.count) + 1)
    var index = start
    while index < end {
      let byte = input[index]
      if byte >= 0x20, byte != 0x7F {
        index += 1
        continue
      }
      switch byte {
      case 0x09:
        index += 1
      case 0x0D:
        guard index + 1 < input.count else {
          partialLine.append(copying: input.extracting(start..<index + 1))
          position = index + 1
          return .incomplete
        }
        guard input[index + 1] == 0x0A else {
          throw .malformed("a CR must be followed by an LF")
        }
        position = index + 2
        if partialLine.isEmpty { return .inInput(start..<index) }
        partialLine.append(copying: input.extracting(start..<index))
        return .held
      case 0x0A:
        throw .malformed("a line must end in CR LF, not in LF alone")
      default:
        throw .malformed("the control character \(byte) is not allowed in headers and chunk lines")
      }
    }
    if partialLine.count + index - start > limit { throw overflow }
    partialLine.append(copying: input.extracting(start..<index))
    position = index
    return .incomplete
  }

  private var lineLimit: (bytes: Int, overflow: HTTPFailure) {
    switch state {
    case .requestLine:
      // The target between a method, two spaces and a version.
      return (
        limits.maxTargetBytes + ServerLimits.maxMethodBytes + 10,
        .targetTooLong(limit: limits.maxTargetBytes)
      )
    case .fields, .trailers:
      let left = limits.maxHeaderBytes - fieldBytes
      return left < limits.maxFieldBytes
        ? (left, .fieldsTooLong(limit: limits.maxHeaderBytes))
        : (limits.maxFieldBytes, .fieldTooLong(limit: limits.maxFieldBytes))
    default:
      return (
        ServerLimits.maxChunkExtensionBytes,
        .malformed(
          "the chunk extensions are longer than \(ServerLimits.maxChunkExtensionBytes) bytes: leave them out"
        )
      )
    }
  }

  private mutating func read(line: ByteSpan) throws(HTTPFailure) -> Step? {
    switch state {
    case .requestLine(let blankLines):
      if line.isEmpty {
        guard blankLines < ServerLimits.maxBlankLines else {
          throw .malformed(
            "more than \(ServerLimits.maxBlankLines) empty lines before the request line")
        }
        state = .requestLine(blankLines: blankLines + 1)
        return nil
      }
      try head.readRequestLine(line, limits)
      state = .fields
    case .fields:
      if line.isEmpty { return .head(try finishHead()) }
      try countField(line)
      try head.readField(line)
    case .trailers:
      if line.isEmpty { return finishRequest() }
      try countField(line)
      // Held to the same grammar, then dropped: a trailer field must not be merged (section 7.1.2).
      _ = try FieldLine(line)
    case .chunkSize:
      try readChunkSize(line)
    case .chunkEnd:
      guard line.isEmpty else {
        throw .malformed("chunk data must be followed by CR LF: is it longer than its size?")
      }
      state = .chunkSize
    case .data, .chunk:
      break  // No lines there.
    }
    return nil
  }

  private mutating func countField(_ line: ByteSpan) throws(HTTPFailure) {
    fieldCount += 1
    fieldBytes += line.count
    if fieldCount > limits.maxHeaderCount { throw .tooManyFields(limit: limits.maxHeaderCount) }
  }

  private mutating func finishHead() throws(HTTPFailure) -> RequestHead {
    let head = try head.finish(limits, fieldBytes: fieldBytes)
    (fieldBytes, fieldCount) = (0, 0)
    switch head.framing {
    case .length(let length): state = .data(remaining: length)
    case .chunked: state = .chunkSize
    }
    return head
  }

  // MARK: Bodies

  /// Takes up to `wanted` bytes. The body grows by what arrived, never by what a header claims.
  private mutating func take(_ wanted: Int, _ input: ByteSpan, _ position: inout Int) -> Int {
    let taken = min(wanted, input.count - position)
    if taken > 0, !discardsBody {
      body.append(copying: input.extracting(position..<position + taken))
    }
    position += taken
    return taken
  }

  private mutating func readChunkSize(_ line: ByteSpan) throws(HTTPFailure) {
    let chunk = try ChunkLine(line)
    extensionBytes += chunk.extensionBytes
    guard extensionBytes <= ServerLimits.maxChunkExtensionBytes else {
      throw .malformed(
        "the chunk extensions are longer than \(ServerLimits.maxChunkExtensionBytes) bytes: leave them out"
      )
    }
    let limit = discardsBody ? ServerLimits.maxDiscardedBody : limits.maxBodyBytes
    guard let size = chunk.size.within(0...max(0, limit - bodyCount)) else {
      throw .bodyTooLong(limit: limit)
    }
    bodyCount += size
    state = size == 0 ? .trailers : .chunk(remaining: size)
  }

  private mutating func finishRequest() -> Step {
    let body = body
    self = RequestParser(limits: limits)
    return .body(body)
  }
}
