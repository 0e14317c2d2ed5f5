/// The items of a JSON array that is a whole file, one at a time, in bounded memory: only where each
/// ends is looked for here, and the parser does the rest.
struct JSONArrayReader {
  private let input: LineReader
  private let name: String
  private let limit: Int
  private var hasBegun = false
  private var isAtEnd = false
  /// From 1, for messages.
  private(set) var lineNumber = 1

  init(_ input: LineReader, name: String, limit: Int) {
    self.input = input
    self.name = name
    self.limit = limit
  }

  /// The bytes of the next item, nil if it is longer than the limit; nil after the last.
  mutating func next() throws(BulkError) -> (bytes: [UInt8]?, line: Int)? {
    if isAtEnd { return nil }
    if !hasBegun {
      hasBegun = true
      try expect("[", "it does not begin with [: one JSON value a line is --input-format jsonl")
      if try blanks() == UInt8(ascii: "]") { return try end() }
    }
    _ = try blanks()
    let line = lineNumber
    let item = (bytes: try itemBytes(), line: line)
    switch try blanks() {
    case UInt8(ascii: ","): _ = try input.nextByte()
    case UInt8(ascii: "]"): _ = try end()
    default: throw broken("a comma or ] is missing")
    }
    return item
  }

  /// Past the closing bracket, with nothing behind it.
  private mutating func end() throws(BulkError) -> (bytes: [UInt8]?, line: Int)? {
    _ = try input.nextByte()
    isAtEnd = true
    guard try blanks() == nil else { throw broken("something follows the array") }
    return nil
  }

  private mutating func expect(_ character: Unicode.Scalar, _ message: String) throws(BulkError) {
    guard try blanks() == UInt8(ascii: character) else { throw broken(message) }
    _ = try input.nextByte()
  }

  /// The next byte behind white space, without taking it.
  private mutating func blanks() throws(BulkError) -> UInt8? {
    while let byte = try input.peek(), [0x20, 0x09, 0x0a, 0x0d].contains(byte) {
      if byte == 0x0a { lineNumber += 1 }
      _ = try input.nextByte()
    }
    return try input.peek()
  }

  /// Up to the comma or bracket behind the item.
  private mutating func itemBytes() throws(BulkError) -> [UInt8]? {
    var bytes: [UInt8] = []
    var count = 0
    var depth = 0
    var isInString = false
    var isEscaped = false
    while let byte = try input.peek() {
      if isInString {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isInString = false
        }
      } else {
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: "]"), UInt8(ascii: "}"):
          if depth == 0 { return count > limit ? nil : bytes }
          depth -= 1
        case UInt8(ascii: ","): if depth == 0 { return count > limit ? nil : bytes }
        case 0x0a: lineNumber += 1
        default: break
        }
      }
      _ = try input.nextByte()
      count += 1
      if count > limit { bytes = [] } else { bytes.append(byte) }
    }
    throw broken("it ends in the middle: fetch or write it again")
  }

  private func broken(_ message: String) -> BulkError {
    BulkError("\(name):\(lineNumber): it is not a JSON array: \(message)")
  }
}
