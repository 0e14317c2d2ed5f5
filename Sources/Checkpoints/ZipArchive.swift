/// The directory of a zip file whose members are stored as they are.
///
/// Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.
struct ZipArchive {
  struct Member {
    /// The content's place in the file.
    var content: Range<Int>
    var checksum: FileNumber
  }

  let file: ModelFile
  let members: [String: Member]

  /// BERT has a few hundred tensors.
  static let maximumMemberCount = 16_384

  private static let endSize = 22
  private static let locatorSize = 20
  private static let recordSize = 56
  private static let headerSize = 30

  static func isPresent(in file: ModelFile) throws(CheckpointError) -> Bool {
    guard file.size >= 4 else { return false }
    var reader = ByteReader(try file.bytes(0..<4))
    return try reader.number(bytes: 4) == 0x0403_4b50
  }

  init(_ file: ModelFile) throws(CheckpointError) {
    self.file = file
    let (directory, count) = try Self.directory(of: file)
    var reader = ByteReader(try file.bytes(directory))
    var members: [String: Member] = [:]
    for _ in 0..<count {
      let (name, member) = try Self.member(&reader, of: file)
      guard members.updateValue(member, forKey: name) == nil else {
        throw reader.malformed("the member \"\(name)\" is there twice")
      }
    }
    // So that no byte is checked twice.
    var end = 0
    for member in members.values.sorted(by: { $0.content.lowerBound < $1.content.lowerBound }) {
      guard member.content.lowerBound >= end else {
        throw reader.malformed("two members share bytes", at: member.content.lowerBound)
      }
      end = member.content.upperBound
    }
    self.members = members
  }

  /// Where the list of members is, and how many there are.
  private static func directory(
    of file: ModelFile
  ) throws(CheckpointError) -> (Range<Int>, count: Int) {
    // At the end, before a comment of up to 65,535 bytes.
    let tail = try file.bytes(
      max(0, file.size - locatorSize - endSize - 0xffff)..<file.size)
    let first = max(tail.start, file.size - endSize - 0xffff)
    var start = file.size - endSize
    while start >= first, try !isEnd(tail, start) { start -= 1 }
    guard start >= first else {
      throw ByteReader(tail).malformed(
        "a zip file with no end of its directory; is it cut short?", at: file.size)
    }
    var reader = ByteReader(tail, start + 8..<file.size)
    _ = try reader.take(2)
    var count = try reader.number(bytes: 2)
    var size = try reader.number(bytes: 4)
    var offset = try reader.number(bytes: 4)
    if count == 0xffff || size == 0xffff_ffff || offset == 0xffff_ffff {
      // The locator stands before the end, and says where the zip64 record is.
      var locator = ByteReader(tail, max(tail.start, start - locatorSize)..<start)
      guard try locator.number(bytes: 4) == 0x0706_4b50 else {
        throw locator.malformed("no zip64 locator")
      }
      _ = try locator.take(4)
      guard
        let place = FileNumber.range(
          offset: try locator.number(bytes: 8), count: FileNumber(recordSize), in: 0..<start)
      else { throw locator.malformed("the zip64 record is beyond the end") }
      var record = ByteReader(try file.bytes(place))
      guard try record.number(bytes: 4) == 0x0606_4b50 else {
        throw record.malformed("no zip64 record")
      }
      _ = try record.take(28)
      count = try record.number(bytes: 8)
      size = try record.number(bytes: 8)
      offset = try record.number(bytes: 8)
    }
    guard let members = count.count(upTo: maximumMemberCount),
      let directory = FileNumber.range(offset: offset, count: size, in: 0..<start)
    else {
      throw reader.malformed("a directory of \(count) members, \(size) bytes at \(offset)")
    }
    return (directory, members)
  }

  private static func isEnd(_ tail: FileBytes, _ start: Int) throws(CheckpointError) -> Bool {
    guard tail.bytes[start - tail.start] == 0x50 else { return false }
    var reader = ByteReader(tail, start..<tail.range.upperBound)
    return try reader.number(bytes: 4) == 0x0605_4b50
  }

  private static func member(
    _ reader: inout ByteReader, of file: ModelFile
  ) throws(CheckpointError) -> (String, Member) {
    let position = reader.offset
    guard try reader.number(bytes: 4) == 0x0201_4b50 else {
      throw reader.malformed("no member of a zip file", at: position)
    }
    _ = try reader.take(4)
    let flags = try reader.number(bytes: 2)
    let method = try reader.number(bytes: 2)
    _ = try reader.take(4)
    let checksum = try reader.number(bytes: 4)
    var packed = try reader.number(bytes: 4)
    var size = try reader.number(bytes: 4)
    let lengths = try reader.take(6)
    _ = try reader.take(8)
    var offset = try reader.number(bytes: 4)
    var parts = ByteReader(reader.file, lengths)
    let name = try reader.name(part(&parts))
    var extra = ByteReader(reader.file, try reader.take(part(&parts)))
    _ = try reader.take(part(&parts))
    while !extra.isAtEnd {
      let kind = try extra.number(bytes: 2)
      var field = ByteReader(extra.file, try extra.take(extra.count(bytes: 2)))
      guard kind == 1 else { continue }
      if size == 0xffff_ffff { size = try field.number(bytes: 8) }
      if packed == 0xffff_ffff { packed = try field.number(bytes: 8) }
      if offset == 0xffff_ffff { offset = try field.number(bytes: 8) }
    }
    guard method == 0, flags.bits & 1 == 0, packed == size else {
      throw .unsupported(
        path: file.path,
        reason:
          "the member \"\(name)\" is compressed or encrypted; PyTorch stores members as they are"
      )
    }
    let whole = 0..<file.size
    guard
      let header = FileNumber.range(offset: offset, count: FileNumber(headerSize), in: whole),
      let content = FileNumber.range(
        offset: try contentOffset(header, of: file), count: size, in: whole)
    else {
      throw reader.malformed(
        "\(size) bytes at \(offset) of \(file.size); is the file cut short?", at: position)
    }
    return (name, Member(content: content, checksum: checksum))
  }

  /// The length of a member's name, of its extra fields or of its comment.
  private static func part(_ reader: inout ByteReader) throws(CheckpointError) -> Int {
    // Two bytes are at most 65,535.
    try reader.number(bytes: 2).count(upTo: 0xffff) ?? 0
  }

  /// Goes past the header that stands before the member's content, and its name and extra fields.
  private static func contentOffset(
    _ header: Range<Int>, of file: ModelFile
  ) throws(CheckpointError) -> FileNumber {
    var reader = ByteReader(try file.bytes(header))
    guard try reader.number(bytes: 4) == 0x0403_4b50 else {
      throw reader.malformed("no member of a zip file", at: header.lowerBound)
    }
    _ = try reader.take(22)
    return FileNumber(header.upperBound + (try part(&reader)) + (try part(&reader)))
  }
}
