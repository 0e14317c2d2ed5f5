/// A cursor over a range of copied bytes.
///
/// Every read is checked against the range's end, so that nothing that a file claims leads outside.
struct ByteReader {
  let file: FileBytes
  /// The tensor being read, for the errors.
  var tensor: String?
  /// From the start of the file.
  private(set) var offset: Int
  let end: Int

  /// Bytes of a tensor's name, or of whatever else is looked up by its name.
  static let maximumNameSize = 512

  /// - Precondition: the range lies inside the bytes.
  init(_ file: FileBytes, _ range: Range<Int>, tensor: String? = nil) {
    precondition(range.lowerBound >= file.start && range.upperBound <= file.range.upperBound)
    self.file = file
    self.tensor = tensor
    offset = range.lowerBound
    end = range.upperBound
  }

  init(_ file: FileBytes, tensor: String? = nil) { self.init(file, file.range, tensor: tensor) }

  var isAtEnd: Bool { offset == end }

  mutating func byte() throws(CheckpointError) -> UInt8 {
    guard offset < end else { throw endsTooSoon("1") }
    defer { offset += 1 }
    return file.bytes[offset - file.start]
  }

  /// A little-endian number of 1 to 8 bytes.
  mutating func number(bytes count: Int) throws(CheckpointError) -> FileNumber {
    var value: UInt64 = 0
    for (place, byte) in file[try take(count)].enumerated() {
      value |= UInt64(byte) << (8 * place)
    }
    return FileNumber(value)
  }

  /// Seven bits a byte, the lowest first. Source: protobuf's encoding, "Base 128 Varints".
  mutating func varint() throws(CheckpointError) -> FileNumber {
    let start = offset
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      let byte = UInt64(try byte())
      guard shift < 63 || byte < 2 else { break }
      value |= (byte & 0x7f) << shift
      if byte < 0x80 { return FileNumber(value) }
    }
    throw malformed("a number of more than 64 bits", at: start)
  }

  /// A little-endian number that counts bytes: no more than the range holds.
  mutating func count(bytes: Int) throws(CheckpointError) -> Int {
    try counted(number(bytes: bytes))
  }

  /// A varint that counts bytes: no more than the range holds.
  mutating func varintCount() throws(CheckpointError) -> Int { try counted(varint()) }

  private func counted(_ number: FileNumber) throws(CheckpointError) -> Int {
    guard let count = number.count(upTo: end - offset) else { throw endsTooSoon("\(number)") }
    return count
  }

  /// Goes past the next bytes and returns their place in the file.
  mutating func take(_ count: Int) throws(CheckpointError) -> Range<Int> {
    guard count >= 0, count <= end - offset else { throw endsTooSoon("\(count)") }
    defer { offset += count }
    return offset..<offset + count
  }

  mutating func string(_ count: Int) throws(CheckpointError) -> String {
    let start = offset
    guard let text = file.string(try take(count)) else {
      throw malformed("a text that is not UTF-8", at: start)
    }
    return text
  }

  /// A name: ASCII, for a `String` of anything else is compared in time quadratic in its combining
  /// marks, and two that differ may be equal.
  mutating func name(_ count: Int) throws(CheckpointError) -> String {
    let start = offset
    guard count <= Self.maximumNameSize else {
      throw malformed("a name of \(count) bytes, the most are \(Self.maximumNameSize)")
    }
    let name = try string(count)
    guard name.utf8.allSatisfy({ $0 < 0x80 }) else {
      throw malformed("the name \"\(name)\" is not ASCII", at: start)
    }
    return name
  }

  func malformed(_ reason: String, at position: Int? = nil) -> CheckpointError {
    .malformed(path: file.path, tensor: tensor, offset: position ?? offset, reason: reason)
  }

  private func endsTooSoon(_ count: String) -> CheckpointError {
    malformed("\(count) bytes are needed here, \(end - offset) are left; is the file cut short?")
  }
}
