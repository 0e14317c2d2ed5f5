/// Large files piece by piece: where the parts of an object or an array lie, so that a caller
/// reads only what it needs, in the file's order, names byte by byte.
///
/// `JSONValue` keeps no order, which is wrong for a vocabulary.
extension JSONParser {
  /// Calls `body` with the name and the bytes of each member of the object that stands at `range`.
  ///
  /// The members' values are skipped, not checked: `parse(_:at:)` does that.
  public static func forEachMember(
    _ bytes: Span<UInt8>, at range: Range<Int>, limits: Limits = Limits(),
    _ body: (_ name: String, _ value: Range<Int>) throws -> Void
  ) throws {
    try forEachPart(bytes, at: range, limits, UInt8(ascii: "{")) { parser, bytes in
      let name = try parser.name(bytes)
      try body(name, try parser.skippedValue(bytes))
    }
  }

  /// Calls `body` with the bytes of each element of the array that stands at `range`.
  public static func forEachElement(
    _ bytes: Span<UInt8>, at range: Range<Int>, limits: Limits = Limits(),
    _ body: (Range<Int>) throws -> Void
  ) throws {
    try forEachPart(bytes, at: range, limits, UInt8(ascii: "[")) { parser, bytes in
      try body(try parser.skippedValue(bytes))
    }
  }

  /// The value that takes the bytes of `range`. Offsets of errors are those of `bytes`.
  public static func parse(
    _ bytes: Span<UInt8>, at range: Range<Int>, limits: Limits = Limits()
  ) throws(JSONError) -> JSONValue {
    let bytes = bytes.extracting(first: range.upperBound)
    var parser = JSONParser(limits: limits)
    parser.cursor = range.lowerBound
    let value = try parser.value(bytes, depth: 0)
    parser.skipSpace(bytes)
    guard parser.cursor == bytes.count else { throw .trailingBytes(offset: parser.cursor) }
    return value
  }

  private static func forEachPart(
    _ bytes: Span<UInt8>, at range: Range<Int>, _ limits: Limits, _ opening: UInt8,
    _ part: (inout JSONParser, Span<UInt8>) throws -> Void
  ) throws {
    let bytes = bytes.extracting(first: range.upperBound)
    let closing = opening + 2
    var parser = JSONParser(limits: limits)
    parser.cursor = range.lowerBound
    try parser.expect(opening, bytes, "\(Unicode.Scalar(opening))")
    if !parser.take(closing, bytes) {
      repeat {
        try parser.count(bytes)
        try part(&parser, bytes)
      } while parser.take(UInt8(ascii: ","), bytes)
      try parser.expect(closing, bytes, ", or \(Unicode.Scalar(closing))")
    }
    parser.skipSpace(bytes)
    guard parser.cursor == bytes.count else {
      throw JSONError.trailingBytes(offset: parser.cursor)
    }
  }

  /// Steps over one value by its brackets and quotes.
  private mutating func skippedValue(_ bytes: Span<UInt8>) throws(JSONError) -> Range<Int> {
    skipSpace(bytes)
    let start = cursor
    var depth = 0
    while cursor < bytes.count {
      switch bytes[cursor] {
      case UInt8(ascii: "\""):
        skipString(bytes)
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        depth += 1
        cursor += 1
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        if depth == 0 { return start..<cursor }
        depth -= 1
        cursor += 1
      case UInt8(ascii: ",") where depth == 0:
        return start..<cursor
      default:
        cursor += 1
      }
    }
    throw .unexpectedEnd(offset: cursor)
  }

  /// The cursor is at the opening quote; an unended string ends with the text.
  private mutating func skipString(_ bytes: Span<UInt8>) {
    cursor += 1
    while cursor < bytes.count {
      let byte = bytes[cursor]
      cursor += byte == UInt8(ascii: "\\") ? 2 : 1
      if byte == UInt8(ascii: "\"") { return }
    }
    cursor = bytes.count
  }
}
