public import UntrustedInput

/// A field line of a request or an answer (RFC 9112 section 5).
///
/// The rules of this file are those of the server's parser and of `HTTPClient`.
public struct FieldLine {
  public let name: Range<Int>
  /// Without the white space around it.
  public let value: Range<Int>

  /// Section 5.1 wants none but token bytes before the colon, which also refuses a folded line
  /// (section 5.2).
  public init(_ line: Span<UInt8>) throws(HTTPFailure) {
    if !line.isEmpty, line[0] == 0x20 || line[0] == 0x09 {
      throw .malformed("a header line starts with white space; write each field on one line")
    }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
      throw .malformed("a header line has no colon")
    }
    guard line.extracting(0..<colon).isToken else {
      throw .malformed("a header field name is not a token")
    }
    let rest = line.extracting(colon + 1..<line.count).trimmed
    name = 0..<colon
    value = colon + 1 + rest.lowerBound..<colon + 1 + rest.upperBound
  }

  /// The value of Content-Length: digits only. A list may be read otherwise by a proxy in between
  /// (section 6.3).
  public static func contentLength(_ value: Span<UInt8>) throws(HTTPFailure) -> Untrusted<Int64> {
    guard value.count <= 19, let length = Untrusted<Int64>(decimal: value) else {
      throw .malformed("Content-Length must be a number of bytes below 2^63")
    }
    return length
  }
}

/// The line before a chunk, `chunk-size [ chunk-ext ]` (RFC 9112 section 7.1).
public struct ChunkLine {
  /// Of the chunk's bytes; 0: it is the last.
  public let size: Untrusted<UInt64>
  public let extensionBytes: Int

  public init(_ line: Span<UInt8>) throws(HTTPFailure) {
    var digits = 0
    while digits < line.count, line[digits].hexadecimalValue != nil { digits += 1 }
    guard digits <= 16, let size = Untrusted<UInt64>(hexadecimal: line.extracting(0..<digits))
    else { throw .malformed("a chunk size must be a hexadecimal number of at most 16 digits") }
    let rest = line.extracting(digits..<line.count)
    guard rest.isEmpty || rest.isChunkExtensions else {
      throw .malformed("a chunk size must be followed by CR LF or by ;name=value extensions")
    }
    self.size = size
    extensionBytes = rest.count
  }
}
