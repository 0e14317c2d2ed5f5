/// A cursor over a range of a mapped file.
///
/// Every read is checked against the range's end, so that nothing that a file claims leads outside.
struct ByteReader {
  let file: MappedFile
  /// The tensor being read, for the errors.
  var tensor: String?
  /// From the start of the file.
  private(set) var offset: Int
  let end: Int

  /// - Precondition: the range lies inside the file.
  init(_ file: MappedFile, _ range: Range<Int>, tensor: String? = nil) {
    precondition(range.lowerBound >= 0 && range.upperBound <= file.size)
    self.file = file
    self.tensor = tensor
    offset = range.lowerBound
    end = range.upperBound
  }

  var isAtEnd: Bool { offset == end }

  mutating func byte() throws(CheckpointError) -> UInt8 {
    guard offset < end else { throw endsTooSoon(1) }
    defer { offset += 1 }
    return unsafe file.bytes[offset]
  }

  /// A little-endian integer.
  mutating func integer<Integer: FixedWidthInteger & BitwiseCopyable>(
    _ type: Integer.Type
  ) throws(CheckpointError) -> Integer {
    let start = try take(MemoryLayout<Integer>.size).lowerBound
    // In bounds: `take` has seen to it.
    return unsafe Integer(
      littleEndian: file.bytes.loadUnaligned(fromByteOffset: start, as: Integer.self))
  }

  /// Seven bits a byte, the lowest first. Source: protobuf's encoding, "Base 128 Varints".
  mutating func varint() throws(CheckpointError) -> UInt64 {
    let start = offset
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      let byte = UInt64(try byte())
      guard shift < 63 || byte < 2 else { break }
      value |= (byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    throw malformed("a number of more than 64 bits", at: start)
  }

  /// A varint that counts bytes or places.
  mutating func count() throws(CheckpointError) -> Int {
    let start = offset
    let value = try varint()
    guard let count = Int(exactly: value) else {
      throw malformed("a length of \(value)", at: start)
    }
    return count
  }

  /// Goes past the next bytes and returns their place in the file.
  mutating func take(_ count: Int) throws(CheckpointError) -> Range<Int> {
    guard count >= 0, count <= end - offset else { throw endsTooSoon(count) }
    defer { offset += count }
    return offset..<offset + count
  }

  mutating func string(_ count: Int) throws(CheckpointError) -> String {
    let start = offset
    let range = try take(count)
    guard let text = file.string(range) else {
      throw malformed("a text that is not UTF-8", at: start)
    }
    return text
  }

  func malformed(_ reason: String, at position: Int? = nil) -> CheckpointError {
    .malformed(path: file.path, tensor: tensor, offset: position ?? offset, reason: reason)
  }

  private func endsTooSoon(_ count: Int) -> CheckpointError {
    malformed("\(count) bytes are needed here, \(end - offset) are left; is the file cut short?")
  }
}
