import HTTPTypes
import UntrustedInput

/// A request head in the making, line by line (RFC 9112 sections 3, 5 and 6).
struct HeadBuilder {
  private(set) var method: HTTPRequest.Method?
  /// The target in origin form, or `*`.
  private(set) var path: String?
  private var isVersion10 = false
  /// The authority of a target in absolute form; it wins over `Host` (section 3.2.2).
  private var targetAuthority: String?
  private var host: String?
  private(set) var fields = HTTPFields()
  private var contentLength: Untrusted<Int64>?
  private var isChunked = false
  private var asksToClose = false
  private var asksToKeep = false
  private var expectation: Bool?

  // MARK: Request line

  /// `method SP request-target SP HTTP-version`, single spaces, nothing else.
  mutating func readRequestLine(
    _ line: ByteSpan, _ limits: ServerLimits
  ) throws(HTTPFailure) {
    guard let methodEnd = line.firstIndex(of: 0x20) else {
      throw .malformed(
        "the request line must be a method, a target and a version with single spaces between")
    }
    let methodBytes = line.extracting(0..<methodEnd)
    guard methodBytes.isToken else { throw .malformed("the method is not a token") }
    guard methodBytes.count <= ServerLimits.maxMethodBytes,
      let method = HTTPRequest.Method(rawValue: methodBytes.string)
    else { throw .unknownMethod }
    self.method = method
    guard let targetEnd = line.firstIndex(of: 0x20, from: methodEnd + 1) else {
      throw .malformed("the request line has no HTTP version")
    }
    let target = line.extracting(methodEnd + 1..<targetEnd)
    if target.count > limits.maxTargetBytes {
      throw .targetTooLong(limit: limits.maxTargetBytes)
    }
    try readVersion(line.extracting(targetEnd + 1..<line.count))
    try readTarget(target)
  }

  /// `HTTP/1.0`, or `HTTP/1.` and a digit, which is read as 1.1 (RFC 9110 section 2.5).
  private mutating func readVersion(_ version: ByteSpan) throws(HTTPFailure) {
    guard version.count == 8, version.extracting(0..<5).string == "HTTP/", version[5].isDigit,
      version[6] == UInt8(ascii: "."), version[7].isDigit
    else { throw .malformed("the HTTP version must be written as HTTP/1.1") }
    guard version[5] == UInt8(ascii: "1") else { throw .unsupportedVersion }
    isVersion10 = version[7] == UInt8(ascii: "0")
  }

  /// Origin form, absolute form, or `*` for OPTIONS (section 3.2). There is no tunnel to CONNECT.
  private mutating func readTarget(_ target: ByteSpan) throws(HTTPFailure) {
    if method == .connect { throw .unknownMethod }
    guard !target.isEmpty else { throw .malformed("the request target is empty") }
    if target.count == 1, target[0] == UInt8(ascii: "*"), method == .options {
      path = "*"
      return
    }
    var rest = target
    if let start = Self.schemeEnd(target) {
      var end = start
      while end < target.count, target[end] != UInt8(ascii: "/"), target[end] != UInt8(ascii: "?") {
        end += 1
      }
      targetAuthority = try Self.authority(target.extracting(start..<end))
      rest = target.extracting(end..<target.count)
    } else if target[0] != UInt8(ascii: "/") {
      throw .malformed("the request target must start with a slash")
    }
    guard rest.isPathAndQuery else {
      throw .malformed(
        "the request target has a character that must be percent-encoded, or a % without two "
          + "hexadecimal digits, or %00")
    }
    path = !rest.isEmpty && rest[0] == UInt8(ascii: "/") ? rest.string : "/" + rest.string
  }

  private static func schemeEnd(_ target: ByteSpan) -> Int? {
    if target.count >= 7, target.extracting(0..<7).equalsIgnoringCase("http://") { return 7 }
    if target.count >= 8, target.extracting(0..<8).equalsIgnoringCase("https://") { return 8 }
    return nil
  }

  private static func authority(_ bytes: ByteSpan) throws(HTTPFailure) -> String {
    guard bytes.isAuthority else {
      throw .malformed("Host must be a host name or an IP address, and optionally a port")
    }
    return bytes.string
  }

  // MARK: Fields

  mutating func readField(_ line: ByteSpan) throws(HTTPFailure) {
    let parts = try FieldLine(line)
    let value = line.extracting(parts.value)
    guard let name = HTTPField.Name(line.extracting(parts.name).string) else {
      throw .malformed("a header field name is not a token")
    }
    switch name.canonicalName {
    case "host":
      guard host == nil else { throw .malformed("Host is given twice") }
      host = try Self.authority(value)
      return
    case "content-length":
      try readContentLength(value)
    case "transfer-encoding":
      try readTransferEncoding(value)
    case "connection":
      value.forEachListElement { option in
        if option.equalsIgnoringCase("close") { asksToClose = true }
        if option.equalsIgnoringCase("keep-alive") { asksToKeep = true }
      }
    case "expect":
      let isContinue = value.equalsIgnoringCase("100-continue")
      expectation = isContinue && expectation != false
    default:
      break
    }
    // obs-text is kept as it came; the buffer does not leave the closure.
    let field = unsafe value.withUnsafeBufferPointer { unsafe HTTPField(name: name, value: $0) }
    fields.append(field)
  }

  /// Once: a repetition may be read otherwise by a proxy in front (section 6.3).
  private mutating func readContentLength(_ value: ByteSpan) throws(HTTPFailure) {
    guard contentLength == nil else { throw .malformed("Content-Length is given twice") }
    contentLength = try FieldLine.contentLength(value)
  }

  /// `chunked` alone is served; a known framing with an unknown coding inside is 501, a framing
  /// that cannot be known is 400 (sections 6.1 and 6.3).
  private mutating func readTransferEncoding(_ value: ByteSpan) throws(HTTPFailure) {
    guard !isChunked else { throw .malformed("Transfer-Encoding is given twice") }
    var (codings, chunkedAt, isValid) = (0, 0, true)
    value.forEachListElement { coding in
      codings += 1
      if coding.equalsIgnoringCase("chunked") {
        isValid = isValid && chunkedAt == 0
        chunkedAt = codings
      }
      isValid = isValid && coding.isToken
    }
    guard isValid, chunkedAt == 0 || chunkedAt == codings else {
      throw .malformed("Transfer-Encoding must end in a single 'chunked'")
    }
    guard chunkedAt == 1 else { throw .unknownTransferCoding }
    isChunked = true
  }

  // MARK: End of the head

  /// Bytes of memory of a field besides its line: two strings and a place in a list.
  private static let fieldOverhead = 128
  /// As it was sent, without a prefix, and what stands in the places of a route.
  private static let targetCopies = 3

  /// - Parameter fieldBytes: of all field lines.
  func finish(_ limits: ServerLimits, fieldBytes: Int) throws(HTTPFailure) -> RequestHead {
    guard let method, let path else { throw .malformed("the request line is missing") }
    if isChunked, isVersion10 {
      throw .malformed("Transfer-Encoding needs HTTP/1.1")
    }
    if isChunked, contentLength != nil {
      throw .malformed("Content-Length and Transfer-Encoding are both given; send one of them")
    }
    if host == nil, !isVersion10 { throw .malformed("the Host header is missing") }
    if expectation == false, !isVersion10 { throw .unknownExpectation }
    guard let length = (contentLength ?? 0).within(0...limits.maxBodyBytes) else {
      throw .bodyTooLong(limit: limits.maxBodyBytes)
    }
    return RequestHead(
      request: HTTPRequest(
        method: method, scheme: nil, authority: targetAuthority ?? host, path: path,
        headerFields: fields),
      framing: isChunked ? .chunked : .length(length),
      isVersion10: isVersion10,
      keepsAlive: !asksToClose && (!isVersion10 || asksToKeep),
      expectsContinue: expectation == true && !isVersion10,
      memoryBytes: Self.targetCopies * path.utf8.count + fieldBytes
        + fields.count * Self.fieldOverhead)
  }
}
