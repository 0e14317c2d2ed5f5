import HTTPTypes

/// A request head in the making, line by line (RFC 9112 sections 3, 5 and 6).
struct HeadBuilder {
  private(set) var method: HTTPRequest.Method?
  /// The target in origin form, or `*`.
  private(set) var path: String?
  private var isVersion10 = false
  /// The authority of a target in absolute form; it wins over `Host` (section 3.2.2).
  private var targetAuthority: String?
  private var host: String?
  private var fields = HTTPFields()
  private var contentLength: Int?
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
      throw .malformed("the request line is not METHOD TARGET VERSION")
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
    else { throw .malformed("the HTTP version is not of the form HTTP/1.1") }
    guard version[5] == UInt8(ascii: "1") else { throw .unsupportedVersion }
    isVersion10 = version[7] == UInt8(ascii: "0")
  }

  /// Origin form, absolute form, or `*` for OPTIONS (section 3.2). There is no tunnel to CONNECT.
  private mutating func readTarget(_ target: ByteSpan) throws(HTTPFailure) {
    if method == .connect { throw .unknownMethod }
    guard !target.isEmpty else { throw .malformed("the request target is empty") }
    var index = 0
    while index < target.count {
      let byte = target[index]
      guard byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "#") else {
        throw .malformed("the request target has a byte that needs percent-encoding")
      }
      index += 1
      guard byte == UInt8(ascii: "%") else { continue }
      guard index + 1 < target.count, let high = target[index].hexadecimalValue,
        let low = target[index + 1].hexadecimalValue, high | low != 0
      else { throw .malformed("the request target has an invalid percent-encoding") }
      index += 2
    }
    if target[0] == UInt8(ascii: "/") {
      path = target.string
    } else if target.count == 1, target[0] == UInt8(ascii: "*"), method == .options {
      path = "*"
    } else if let start = Self.schemeEnd(target) {
      var end = start
      while end < target.count, target[end] != UInt8(ascii: "/"), target[end] != UInt8(ascii: "?") {
        end += 1
      }
      let authority = target.extracting(start..<end)
      try Self.checkAuthority(authority)
      targetAuthority = authority.string
      let rest = target.extracting(end..<target.count)
      path = rest.isEmpty || rest[0] != UInt8(ascii: "/") ? "/" + rest.string : rest.string
    } else {
      throw .malformed("the request target does not start with a slash")
    }
  }

  private static func schemeEnd(_ target: ByteSpan) -> Int? {
    if target.count >= 7, target.extracting(0..<7).equalsIgnoringCase("http://") { return 7 }
    if target.count >= 8, target.extracting(0..<8).equalsIgnoringCase("https://") { return 8 }
    return nil
  }

  /// `uri-host [ ":" port ]` (RFC 9110 section 7.2); an http URI has no empty host (section 4.2.1).
  private static func checkAuthority(_ authority: ByteSpan) throws(HTTPFailure) {
    let failure = HTTPFailure.malformed("the Host is not a host name or address with a port")
    guard !authority.isEmpty else { throw failure }
    var end = 0
    if authority[0] == UInt8(ascii: "[") {
      guard let close = authority.firstIndex(of: UInt8(ascii: "]")), close > 1 else {
        throw failure
      }
      for index in 1..<close {
        let byte = authority[index]
        guard byte.hexadecimalValue != nil || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
        else { throw failure }
      }
      end = close + 1
    } else {
      while end < authority.count, authority[end] != UInt8(ascii: ":") {
        let byte = authority[end]
        switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"),
          UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"),
          UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"),
          UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="), UInt8(ascii: "%"):
          break
        default:
          guard byte.isDigit || byte.isLetter else { throw failure }
        }
        end += 1
      }
      guard end > 0 else { throw failure }
    }
    if end == authority.count { return }
    guard authority[end] == UInt8(ascii: ":"), authority.count - end <= 6 else { throw failure }
    var port = 0
    for index in end + 1..<authority.count {
      guard authority[index].isDigit else { throw failure }
      port = port * 10 + Int(authority[index] - 0x30)
    }
    guard port <= 65535 else { throw failure }
  }

  // MARK: Fields

  /// The place of the colon after a field's name; section 5.1 wants none but token bytes before it,
  /// which also refuses a folded line (section 5.2).
  static func fieldColon(_ line: ByteSpan) throws(HTTPFailure) -> Int {
    if line[0] == 0x20 || line[0] == 0x09 {
      throw .malformed("a header line starts with white space: put the field on one line")
    }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
      throw .malformed("a header line has no colon")
    }
    guard line.extracting(0..<colon).isToken else {
      throw .malformed("a header field name is not a token")
    }
    return colon
  }

  mutating func readField(_ line: ByteSpan) throws(HTTPFailure) {
    let colon = try Self.fieldColon(line)
    let rest = line.extracting(colon + 1..<line.count)
    let value = rest.extracting(rest.trimmed)
    guard let name = HTTPField.Name(line.extracting(0..<colon).string) else {
      throw .malformed("a header field name is not a token")
    }
    switch name.canonicalName {
    case "host":
      guard host == nil else { throw .malformed("there is more than one Host") }
      try Self.checkAuthority(value)
      host = value.string
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

  /// Digits only, once: a list or a repetition may be read otherwise by a proxy in front
  /// (section 6.3).
  private mutating func readContentLength(_ value: ByteSpan) throws(HTTPFailure) {
    guard contentLength == nil else { throw .malformed("there is more than one Content-Length") }
    guard !value.isEmpty, value.count <= 19 else {
      throw .malformed("the Content-Length is not a number of bytes")
    }
    var length = 0
    for index in value.indices {
      guard value[index].isDigit else {
        throw .malformed("the Content-Length is not a number of bytes")
      }
      let (tens, overflow) = length.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tens.addingReportingOverflow(Int(value[index] - 0x30))
      if overflow || carry { throw .malformed("the Content-Length is not a number of bytes") }
      length = sum
    }
    contentLength = length
  }

  /// `chunked` alone is served; a known framing with an unknown coding inside is 501, a framing
  /// that cannot be known is 400 (sections 6.1 and 6.3).
  private mutating func readTransferEncoding(_ value: ByteSpan) throws(HTTPFailure) {
    guard !isChunked else { throw .malformed("there is more than one Transfer-Encoding") }
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
      throw .malformed("Transfer-Encoding is not chunked, once and last")
    }
    guard chunkedAt == 1 else { throw .unknownTransferCoding }
    isChunked = true
  }

  // MARK: End of the head

  func finish() throws(HTTPFailure) -> RequestHead {
    guard let method, let path else { throw .malformed("there is no request line") }
    if isChunked, isVersion10 {
      throw .malformed("Transfer-Encoding needs HTTP/1.1")
    }
    if isChunked, contentLength != nil {
      throw .malformed("Content-Length and Transfer-Encoding exclude each other")
    }
    if host == nil, !isVersion10 { throw .malformed("there is no Host") }
    if expectation == false, !isVersion10 { throw .unknownExpectation }
    return RequestHead(
      request: HTTPRequest(
        method: method, scheme: nil, authority: targetAuthority ?? host, path: path,
        headerFields: fields),
      framing: isChunked ? .chunked : .length(contentLength ?? 0),
      isVersion10: isVersion10,
      keepsAlive: !asksToClose && (!isVersion10 || asksToKeep),
      expectsContinue: expectation == true && !isVersion10)
  }
}
