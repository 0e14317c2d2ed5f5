/// Why bytes are not the JSON that was asked for. Offsets are in bytes from the start of the text.
public enum JSONError: Error, Equatable, Sendable {
  /// The text ends in the middle of a value.
  case unexpectedEnd(offset: Int)
  /// A byte that cannot stand here.
  case unexpectedByte(UInt8, offset: Int, expected: String)
  /// Something behind the value.
  case trailingBytes(offset: Int)
  /// RFC 8259, section 8.1 allows to refuse it.
  case byteOrderMark
  case invalidNumber(offset: Int)
  /// More bytes than a member's name is allowed.
  case nameTooLong(size: Int, limit: Int, offset: Int)
  /// More characters than a number is allowed.
  case numberTooLong(limit: Int, offset: Int)
  case invalidEscape(offset: Int)
  /// `\ud800` to `\udfff` without its other half: no character.
  case loneSurrogate(offset: Int)
  /// U+0000 to U+001F in a string, not escaped.
  case controlCharacter(offset: Int)
  case invalidUTF8(offset: Int)
  case tooDeep(limit: Int, offset: Int)
  case tooManyValues(limit: Int, offset: Int)
  case invalidBase64(offset: Int)
  /// The caller's `mayContinue` said so.
  case cancelled(offset: Int)

  /// Bytes from the start of the text.
  public var offset: Int {
    switch self {
    case .unexpectedEnd(let offset), .unexpectedByte(_, let offset, _),
      .trailingBytes(let offset), .invalidNumber(let offset), .numberTooLong(_, let offset),
      .nameTooLong(_, _, let offset), .invalidEscape(let offset), .loneSurrogate(let offset),
      .controlCharacter(let offset),
      .invalidUTF8(let offset), .tooDeep(_, let offset), .tooManyValues(_, let offset),
      .invalidBase64(let offset), .cancelled(let offset):
      offset
    case .byteOrderMark: 0
    }
  }

  public var message: String {
    switch self {
    case .unexpectedEnd(0): "\(reason), after 0 bytes: it is empty"
    case .unexpectedEnd(let offset): "\(reason), after \(offset) bytes"
    case .invalidBase64(let offset): "character \(offset): \(reason)"
    default: "byte \(offset): \(reason)"
    }
  }

  /// What is wrong, without where.
  public var reason: String {
    switch self {
    case .unexpectedEnd: "the JSON text ends too early"
    case .unexpectedByte(let byte, _, let expected):
      "\(Self.name(byte)) where \(expected) is expected"
    case .trailingBytes: "something follows the JSON value"
    case .byteOrderMark: "a byte order mark; send UTF-8 without one"
    case .nameTooLong(let size, let limit, _): "a name of \(size) bytes, the most are \(limit)"
    case .invalidNumber: "not a JSON number"
    case .numberTooLong(let limit, _): "a number of more than \(limit) characters"
    case .invalidEscape: "not a JSON escape; a backslash is written \\\\"
    case .loneSurrogate:
      "half of a surrogate pair, which is no character; remove it, or replace it "
        + "(in JavaScript text.toWellFormed())"
    case .controlCharacter: "a control character in a string; a line feed is written \\n"
    case .invalidUTF8: "not UTF-8"
    case .tooDeep(let limit, _): "more than \(limit) arrays and objects inside one another"
    case .tooManyValues(let limit, _): "more than \(limit) values"
    case .invalidBase64: "not Base64"
    case .cancelled: "reading was cancelled"
    }
  }

  private static func name(_ byte: UInt8) -> String {
    0x21...0x7e ~= byte ? "\(Unicode.Scalar(byte))" : "byte value \(byte)"
  }
}

extension JSONError: CustomStringConvertible {
  public var description: String { message }
}
