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
      .invalidEscape(let offset), .loneSurrogate(let offset), .controlCharacter(let offset),
      .invalidUTF8(let offset), .tooDeep(_, let offset), .tooManyValues(_, let offset),
      .invalidBase64(let offset), .cancelled(let offset):
      offset
    case .byteOrderMark: 0
    }
  }

  public var message: String {
    switch self {
    case .unexpectedEnd(0): "the JSON text ends too early, after 0 bytes: it is empty"
    case .unexpectedEnd(let offset):
      "the JSON text ends too early, after \(offset) bytes"
    case .unexpectedByte(let byte, let offset, let expected):
      "byte \(offset): \(Self.name(byte)) where \(expected) is expected"
    case .trailingBytes(let offset):
      "byte \(offset): something follows the JSON value"
    case .byteOrderMark:
      "byte 0: a byte order mark; send UTF-8 without one"
    case .invalidNumber(let offset):
      "byte \(offset): not a JSON number"
    case .numberTooLong(let limit, let offset):
      "byte \(offset): a number of more than \(limit) characters"
    case .invalidEscape(let offset):
      "byte \(offset): not a JSON escape; a backslash is written \\\\"
    case .loneSurrogate(let offset):
      "byte \(offset): half of a surrogate pair, which is no character; remove it, or replace it "
        + "(in JavaScript text.toWellFormed())"
    case .controlCharacter(let offset):
      "byte \(offset): a control character in a string; a line feed is written \\n"
    case .invalidUTF8(let offset):
      "byte \(offset): not UTF-8"
    case .tooDeep(let limit, let offset):
      "byte \(offset): more than \(limit) arrays and objects inside one another"
    case .tooManyValues(let limit, let offset):
      "byte \(offset): more than \(limit) values"
    case .invalidBase64(let offset):
      "character \(offset): not Base64"
    case .cancelled(let offset):
      "byte \(offset): reading was cancelled"
    }
  }

  private static func name(_ byte: UInt8) -> String {
    0x21...0x7e ~= byte ? "\(Unicode.Scalar(byte))" : "byte value \(byte)"
  }
}

extension JSONError: CustomStringConvertible {
  public var description: String { message }
}
