/// Bytes as the parser sees them: a window on a buffer, never copied until something is kept.
typealias ByteSpan = Span<UInt8>

extension Span where Element == UInt8 {
  /// The bytes as text, invalid UTF-8 replaced.
  var string: String {
    // The buffer does not leave the closure.
    unsafe withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
  }

  func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
    var index = start
    while index < count {
      if self[index] == byte { return index }
      index += 1
    }
    return nil
  }

  /// Without leading and trailing SP and HTAB (OWS, RFC 9110 section 5.6.3).
  var trimmed: Range<Int> {
    var (start, end) = (0, count)
    while start < end, self[start] == 0x20 || self[start] == 0x09 { start += 1 }
    while end > start, self[end - 1] == 0x20 || self[end - 1] == 0x09 { end -= 1 }
    return start..<end
  }

  /// Equal to an ASCII word in lower case, whatever the case of the bytes.
  func equalsIgnoringCase(_ word: StaticString) -> Bool {
    guard count == word.utf8CodeUnitCount else { return false }
    // A StaticString's bytes live as long as the program.
    let expected = unsafe UnsafeBufferPointer(
      start: word.utf8Start, count: word.utf8CodeUnitCount)
    for index in indices {
      let byte = self[index]
      let lower = byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
      if unsafe lower != expected[index] { return false }
    }
    return true
  }

  /// Whether this is a token (RFC 9110 section 5.6.2).
  var isToken: Bool {
    for index in indices where !self[index].isTokenByte { return false }
    return !isEmpty
  }

  /// `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`, RFC 9112 section 7.1.1.
  var isChunkExtensions: Bool {
    var index = 0
    while index < count {
      index = afterSpace(index)
      guard index < count, self[index] == UInt8(ascii: ";") else { return false }
      let name = afterSpace(index + 1)
      index = afterToken(name)
      if index == name { return false }
      let equals = afterSpace(index)
      guard equals < count, self[equals] == UInt8(ascii: "=") else { continue }
      let value = afterSpace(equals + 1)
      index = afterQuotedString(value) ?? afterToken(value)
      if index == value { return false }
    }
    return true
  }

  private func afterSpace(_ start: Int) -> Int {
    var index = start
    while index < count, self[index] == 0x20 || self[index] == 0x09 { index += 1 }
    return index
  }

  private func afterToken(_ start: Int) -> Int {
    var index = start
    while index < count, self[index].isTokenByte { index += 1 }
    return index
  }

  /// RFC 9110 section 5.6.4; nil if none begins here, or it has no end. Lines have no control
  /// bytes, so any byte may follow a backslash.
  private func afterQuotedString(_ start: Int) -> Int? {
    guard start < count, self[start] == UInt8(ascii: "\"") else { return nil }
    var index = start + 1
    while index < count {
      switch self[index] {
      case UInt8(ascii: "\""): return index + 1
      case UInt8(ascii: "\\"): index += 2
      default: index += 1
      }
    }
    return nil
  }

  /// Calls `body` with each element of a list with commas, trimmed, empty ones included
  /// (RFC 9110 section 5.6.1).
  func forEachListElement(_ body: (ByteSpan) -> Void) {
    var start = 0
    while true {
      let end = firstIndex(of: UInt8(ascii: ","), from: start) ?? count
      let element = extracting(start..<end)
      body(element.extracting(element.trimmed))
      if end == count { return }
      start = end + 1
    }
  }
}

extension UInt8 {
  var isDigit: Bool { self >= 0x30 && self <= 0x39 }

  /// tchar, RFC 9110 section 5.6.2.
  var isTokenByte: Bool {
    switch self {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E, 0x5F, 0x60, 0x7C, 0x7E: true
    default: false
    }
  }

  /// The value of a hexadecimal digit.
  var hexadecimalValue: UInt8? {
    switch self {
    case 0x30...0x39: self - 0x30
    case 0x41...0x46: self - 0x41 + 10
    case 0x61...0x66: self - 0x61 + 10
    default: nil
    }
  }
}

extension Array where Element == UInt8 {
  mutating func append(copying bytes: ByteSpan) {
    // The buffer does not leave the closure.
    unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }
}
