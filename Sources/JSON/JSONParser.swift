/// Reads JSON strictly by RFC 8259, in time linear in the text.
///
/// Refused, beyond what the grammar refuses: a byte order mark, invalid UTF-8, halves of surrogate
/// pairs, and what is over the limits.
public struct JSONParser {
  public struct Limits: Sendable {
    /// Arrays and objects inside one another.
    public var depth = 64
    /// Values in all, keys not counted: each takes 24 bytes of memory or more, and may be written
    /// in two.
    public var valueCount = 1 << 20
    /// Bytes of a member's name: for callers that look names up as `String`.
    public var nameSize = Int.max
    /// Whether half of a surrogate pair is read as U+FFFD (Unicode, section 3.9), and not refused.
    public var replacesLoneSurrogates = false
    /// Whether NaN, Infinity and -Infinity are numbers, as Python's `json` reads and writes them.
    public var takesNonFinite = false
    /// Asked every few thousand values whether to go on; a text of many takes seconds.
    public var mayContinue: (@Sendable () -> Bool)?

    public init() {}
  }

  /// The whole text as one value.
  public static func parse(
    _ bytes: Span<UInt8>, limits: Limits = Limits()
  ) throws(JSONError) -> JSONValue {
    if bytes.count >= 3, bytes[0] == 0xef, bytes[1] == 0xbb, bytes[2] == 0xbf {
      throw .byteOrderMark
    }
    return try parse(bytes, at: 0..<bytes.count, limits: limits)
  }

  public static func parse(
    _ bytes: [UInt8], limits: Limits = Limits()
  ) throws(JSONError) -> JSONValue {
    try parse(bytes.span, limits: limits)
  }

  /// A file that people and editors write, with or without a byte order mark.
  public static func parse(
    file bytes: [UInt8], limits: Limits = Limits()
  ) throws(JSONError) -> JSONValue {
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    let start = bytes.starts(with: mark) ? mark.count : 0
    return try parse(bytes.span, at: start..<bytes.count, limits: limits)
  }

  private static let valuesBetweenChecks = 4096

  let limits: Limits
  private var valueCount = 0
  var cursor = 0

  init(limits: Limits) { self.limits = limits }

  /// Recursion ends at `limits.depth`.
  mutating func value(
    _ bytes: Span<UInt8>, depth: Int
  ) throws(JSONError) -> JSONValue {
    try count(bytes)
    guard cursor < bytes.count else { throw .unexpectedEnd(offset: cursor) }
    switch bytes[cursor] {
    case UInt8(ascii: "\""):
      return .string(try string(bytes))
    case UInt8(ascii: "N") where limits.takesNonFinite:
      return try literal("NaN", bytes, .double(.nan))
    case UInt8(ascii: "I") where limits.takesNonFinite:
      return try literal("Infinity", bytes, .double(.infinity))
    case UInt8(ascii: "-")
    where limits.takesNonFinite && cursor + 1 < bytes.count
      && bytes[cursor + 1] == UInt8(ascii: "I"):
      return try literal("-Infinity", bytes, .double(-.infinity))
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return try number(bytes)
    case UInt8(ascii: "["):
      return .array(try array(bytes, depth: depth + 1))
    case UInt8(ascii: "{"):
      return .object(try object(bytes, depth: depth + 1))
    case UInt8(ascii: "t"):
      return try literal("true", bytes, .boolean(true))
    case UInt8(ascii: "f"):
      return try literal("false", bytes, .boolean(false))
    case UInt8(ascii: "n"):
      return try literal("null", bytes, .null)
    default:
      throw .unexpectedByte(bytes[cursor], offset: cursor, expected: "a value")
    }
  }

  /// Steps to the next value, if there may be one more.
  mutating func count(_ bytes: Span<UInt8>) throws(JSONError) {
    skipSpace(bytes)
    valueCount += 1
    guard valueCount <= limits.valueCount else {
      throw .tooManyValues(limit: limits.valueCount, offset: cursor)
    }
    if valueCount % Self.valuesBetweenChecks == 0, let mayContinue = limits.mayContinue,
      !mayContinue()
    {
      throw .cancelled(offset: cursor)
    }
  }

  private mutating func array(
    _ bytes: Span<UInt8>, depth: Int
  ) throws(JSONError) -> [JSONValue] {
    try enter(depth)
    var elements: [JSONValue] = []
    if take(UInt8(ascii: "]"), bytes) { return elements }
    repeat {
      elements.append(try value(bytes, depth: depth))
    } while take(UInt8(ascii: ","), bytes)
    try expect(UInt8(ascii: "]"), bytes, ", or ]")
    return elements
  }

  private mutating func object(
    _ bytes: Span<UInt8>, depth: Int
  ) throws(JSONError) -> [RawText: JSONValue] {
    try enter(depth)
    var members: [RawText: JSONValue] = [:]
    if take(UInt8(ascii: "}"), bytes) { return members }
    repeat {
      let name = try name(bytes)
      members[RawText(name)] = try value(bytes, depth: depth)
    } while take(UInt8(ascii: ","), bytes)
    try expect(UInt8(ascii: "}"), bytes, ", or }")
    return members
  }

  /// A member's name and its colon.
  mutating func name(_ bytes: Span<UInt8>) throws(JSONError) -> String {
    skipSpace(bytes)
    guard cursor < bytes.count else { throw .unexpectedEnd(offset: cursor) }
    guard bytes[cursor] == UInt8(ascii: "\"") else {
      throw .unexpectedByte(bytes[cursor], offset: cursor, expected: "a name in quotes")
    }
    let start = cursor
    let name = try string(bytes)
    guard name.utf8.count <= limits.nameSize else {
      throw .nameTooLong(size: name.utf8.count, limit: limits.nameSize, offset: start)
    }
    try expect(UInt8(ascii: ":"), bytes, ":")
    return name
  }

  /// Steps over an opening bracket.
  private mutating func enter(_ depth: Int) throws(JSONError) {
    guard depth <= limits.depth else { throw .tooDeep(limit: limits.depth, offset: cursor) }
    cursor += 1
  }

  private mutating func literal(
    _ text: StaticString, _ bytes: Span<UInt8>, _ value: JSONValue
  ) throws(JSONError) -> JSONValue {
    for index in 0..<text.utf8CodeUnitCount {
      guard cursor < bytes.count else { throw .unexpectedEnd(offset: cursor) }
      // In bounds: the index is below the text's length.
      guard unsafe bytes[cursor] == text.utf8Start[index] else {
        throw .unexpectedByte(bytes[cursor], offset: cursor, expected: "\(text)")
      }
      cursor += 1
    }
    return value
  }

  mutating func skipSpace(_ bytes: Span<UInt8>) {
    while cursor < bytes.count {
      switch bytes[cursor] {
      case 0x20, 0x0a, 0x0d, 0x09: cursor += 1
      default: return
      }
    }
  }

  mutating func take(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
    skipSpace(bytes)
    guard cursor < bytes.count, bytes[cursor] == byte else { return false }
    cursor += 1
    return true
  }

  mutating func expect(
    _ byte: UInt8, _ bytes: Span<UInt8>, _ expected: String
  ) throws(JSONError) {
    guard !take(byte, bytes) else { return }
    guard cursor < bytes.count else { throw .unexpectedEnd(offset: cursor) }
    throw .unexpectedByte(bytes[cursor], offset: cursor, expected: expected)
  }
}
