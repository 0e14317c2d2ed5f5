extension JSONParser {
  /// Reads a string; the cursor is at its first quote. RFC 8259, section 7.
  mutating func string(_ bytes: Span<UInt8>) throws(JSONError) -> String {
    let start = cursor + 1
    let isASCII: Bool
    (cursor, isASCII) = Self.endOfPlainText(bytes, from: start)
    var text: String?
    if cursor < bytes.count, bytes[cursor] == UInt8(ascii: "\"") {
      text = unsafe bytes.extracting(start..<cursor).withUnsafeBufferPointer { bytes in
        // Of short strings `validating` takes several times as long.
        isASCII
          ? unsafe String(decoding: bytes, as: UTF8.self)
          : unsafe String(validating: bytes, as: UTF8.self)
      }
    } else {
      text = try escapedString(bytes, start: start)
    }
    guard let text else {
      throw .invalidUTF8(offset: Self.firstInvalidUTF8(bytes, start..<cursor))
    }
    cursor += 1
    return text
  }

  /// - Returns: nil if the bytes are not UTF-8.
  private mutating func escapedString(
    _ bytes: Span<UInt8>, start: Int
  ) throws(JSONError) -> String? {
    var unescaped: [UInt8] = []
    var plainStart = start
    while true {
      unsafe bytes.extracting(plainStart..<cursor).withUnsafeBufferPointer {
        unsafe unescaped.append(contentsOf: $0)
      }
      guard cursor < bytes.count else { throw .unexpectedEnd(offset: cursor) }
      switch bytes[cursor] {
      case UInt8(ascii: "\""): return String(validating: unescaped, as: UTF8.self)
      case UInt8(ascii: "\\"): try escape(bytes, &unescaped)
      default: throw .controlCharacter(offset: cursor)
      }
      plainStart = cursor
      cursor = Self.endOfPlainText(bytes, from: cursor).offset
    }
  }

  /// Reads an escape; the cursor is at its backslash.
  private mutating func escape(
    _ bytes: Span<UInt8>, _ unescaped: inout [UInt8]
  ) throws(JSONError) {
    let start = cursor
    guard start + 1 < bytes.count else { throw .unexpectedEnd(offset: bytes.count) }
    cursor += 2
    switch bytes[start + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
      unescaped.append(bytes[start + 1])
    case UInt8(ascii: "b"): unescaped.append(0x08)
    case UInt8(ascii: "f"): unescaped.append(0x0c)
    case UInt8(ascii: "n"): unescaped.append(0x0a)
    case UInt8(ascii: "r"): unescaped.append(0x0d)
    case UInt8(ascii: "t"): unescaped.append(0x09)
    case UInt8(ascii: "u"):
      let code = try fourHexDigits(bytes, start)
      if let scalar = Unicode.Scalar(try withLowHalf(code, bytes)) {
        unescaped += UTF8.encode(scalar)!
      } else if limits.replacesLoneSurrogates {
        unescaped += [0xef, 0xbf, 0xbd]
      } else {
        throw .loneSurrogate(offset: start)
      }
    default: throw .invalidEscape(offset: start)
    }
  }

  /// The character of a surrogate pair whose high half was read, and the cursor behind it; the code
  /// as it is if no low half follows.
  private mutating func withLowHalf(
    _ code: UInt32, _ bytes: Span<UInt8>
  ) throws(JSONError) -> UInt32 {
    guard 0xd800..<0xdc00 ~= code, cursor + 1 < bytes.count,
      bytes[cursor] == UInt8(ascii: "\\"), bytes[cursor + 1] == UInt8(ascii: "u")
    else { return code }
    let escape = cursor
    cursor += 2
    let low = try fourHexDigits(bytes, escape)
    guard 0xdc00..<0xe000 ~= low else {
      cursor = escape
      return code
    }
    return 0x1_0000 + (code - 0xd800) << 10 + (low - 0xdc00)
  }

  /// - Parameter escape: the backslash's offset.
  private mutating func fourHexDigits(
    _ bytes: Span<UInt8>, _ escape: Int
  ) throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard cursor < bytes.count else { throw .unexpectedEnd(offset: cursor) }
      switch bytes[cursor] {
      case let digit where 0x30...0x39 ~= digit: code = code << 4 | UInt32(digit - 0x30)
      case let letter where 0x61...0x66 ~= letter | 0x20:
        code = code << 4 | UInt32(letter | 0x20 - 0x57)
      default: throw .invalidEscape(offset: escape)
      }
      cursor += 1
    }
    return code
  }

  /// Where the next quote, backslash or control character is, or the text's end; and whether all
  /// before it is ASCII, as far as a look at whole words tells.
  private static func endOfPlainText(
    _ bytes: Span<UInt8>, from start: Int
  ) -> (offset: Int, isASCII: Bool) {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highBits = ones &* 0x80
    let raw = unsafe bytes.bytes
    var offset = start
    var allBits: UInt64 = 0
    while offset + 8 <= raw.byteCount {
      let word = unsafe UInt64(
        littleEndian: raw.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
      // Each marks bytes by their high bit; a borrow only spoils the marks above a right one.
      let quote = word ^ ones &* 0x22
      let backslash = word ^ ones &* 0x5c
      let marks =
        ((quote &- ones) & ~quote | (backslash &- ones) & ~backslash
          | (word &- ones &* 0x20) & ~word) & highBits
      allBits |= word
      if marks != 0 {
        return (offset + marks.trailingZeroBitCount / 8, allBits & highBits == 0)
      }
      offset += 8
    }
    while offset < bytes.count {
      switch bytes[offset] {
      case 0x22, 0x5c, 0..<0x20: return (offset, allBits & highBits == 0)
      case let byte:
        allBits |= UInt64(byte)
        offset += 1
      }
    }
    return (offset, allBits & highBits == 0)
  }

  /// Where the first ill-formed sequence begins. The Unicode Standard, table 3-7.
  private static func firstInvalidUTF8(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    var offset = range.lowerBound
    while offset < range.upperBound {
      var length = 1
      var second: ClosedRange<UInt8> = 0x80...0xbf
      switch bytes[offset] {
      case 0..<0x80: length = 1
      case 0xc2...0xdf: length = 2
      case 0xe0: (length, second) = (3, 0xa0...0xbf)
      case 0xed: (length, second) = (3, 0x80...0x9f)
      case 0xe1...0xef: length = 3
      case 0xf0: (length, second) = (4, 0x90...0xbf)
      case 0xf4: (length, second) = (4, 0x80...0x8f)
      case 0xf1...0xf3: length = 4
      default: return offset
      }
      guard offset + length <= range.upperBound else { return offset }
      for index in 1..<length {
        guard (index == 1 ? second : 0x80...0xbf) ~= bytes[offset + index] else { return offset }
      }
      offset += length
    }
    return offset
  }
}
