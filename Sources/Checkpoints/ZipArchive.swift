/// The directory of a zip file whose members are stored as they are.
///
/// Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.
struct ZipArchive {
  struct Member {
    /// The content's place in the file.
    var content: Range<Int>
    var checksum: UInt32
  }

  let file: MappedFile
  let members: [String: Member]

  /// BERT has a few hundred tensors.
  static let maximumMemberCount = 16_384

  static func isPresent(in file: MappedFile) -> Bool {
    var reader = ByteReader(file, 0..<min(4, file.size))
    return (try? reader.integer(UInt32.self)) == 0x0403_4b50
  }

  init(_ file: MappedFile) throws(CheckpointError) {
    self.file = file
    let (directory, count) = try Self.directory(of: file)
    var reader = ByteReader(file, directory)
    var members: [String: Member] = [:]
    for _ in 0..<count {
      let (name, member) = try Self.member(&reader)
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
    of file: MappedFile
  ) throws(CheckpointError) -> (Range<Int>, count: Int) {
    // At the end, before a comment of up to 65,535 bytes.
    let first = max(0, file.size - 22 - 0xffff)
    var start = file.size - 22
    while start >= first, unsafe file.bytes[start] != 0x50 || !isEnd(file, start) { start -= 1 }
    guard start >= first else {
      throw ByteReader(file, 0..<file.size).malformed(
        "a zip file with no end of its directory; is it cut short?", at: file.size)
    }
    var reader = ByteReader(file, start + 8..<file.size)
    _ = try reader.integer(UInt16.self)
    var count = UInt64(try reader.integer(UInt16.self))
    var size = UInt64(try reader.integer(UInt32.self))
    var offset = UInt64(try reader.integer(UInt32.self))
    if count == 0xffff || size == 0xffff_ffff || offset == 0xffff_ffff {
      // The locator stands before the end, and says where the zip64 record is.
      var locator = ByteReader(file, max(0, start - 20)..<start)
      guard try locator.integer(UInt32.self) == 0x0706_4b50 else {
        throw locator.malformed("no zip64 locator")
      }
      _ = try locator.integer(UInt32.self)
      guard let place = Int(exactly: try locator.integer(UInt64.self)), place <= start else {
        throw locator.malformed("the zip64 record is beyond the end")
      }
      var record = ByteReader(file, place..<start)
      guard try record.integer(UInt32.self) == 0x0606_4b50 else {
        throw record.malformed("no zip64 record")
      }
      _ = try record.take(28)
      count = try record.integer(UInt64.self)
      size = try record.integer(UInt64.self)
      offset = try record.integer(UInt64.self)
    }
    guard count <= maximumMemberCount, offset <= start, size <= start - Int(offset) else {
      throw reader.malformed("a directory of \(count) members, \(size) bytes at \(offset)")
    }
    return (Int(offset)..<Int(offset) + Int(size), Int(count))
  }

  private static func isEnd(_ file: MappedFile, _ start: Int) -> Bool {
    var reader = ByteReader(file, start..<file.size)
    return (try? reader.integer(UInt32.self)) == 0x0605_4b50
  }

  private static func member(
    _ reader: inout ByteReader
  ) throws(CheckpointError) -> (String, Member) {
    let position = reader.offset
    guard try reader.integer(UInt32.self) == 0x0201_4b50 else {
      throw reader.malformed("no member of a zip file", at: position)
    }
    _ = try reader.take(4)
    let flags = try reader.integer(UInt16.self)
    let method = try reader.integer(UInt16.self)
    _ = try reader.take(4)
    let checksum = try reader.integer(UInt32.self)
    var packed = UInt64(try reader.integer(UInt32.self))
    var size = UInt64(try reader.integer(UInt32.self))
    let nameSize = Int(try reader.integer(UInt16.self))
    let extraSize = Int(try reader.integer(UInt16.self))
    let commentSize = Int(try reader.integer(UInt16.self))
    _ = try reader.take(8)
    var offset = UInt64(try reader.integer(UInt32.self))
    let name = try reader.string(nameSize)
    var extra = ByteReader(reader.file, try reader.take(extraSize))
    _ = try reader.take(commentSize)
    while !extra.isAtEnd {
      let kind = try extra.integer(UInt16.self)
      var field = ByteReader(extra.file, try extra.take(Int(extra.integer(UInt16.self))))
      guard kind == 1 else { continue }
      if size == 0xffff_ffff { size = try field.integer(UInt64.self) }
      if packed == 0xffff_ffff { packed = try field.integer(UInt64.self) }
      if offset == 0xffff_ffff { offset = try field.integer(UInt64.self) }
    }
    guard method == 0, flags & 1 == 0, packed == size else {
      throw .unsupported(
        path: reader.file.path,
        reason:
          "the member \"\(name)\" is compressed or encrypted; PyTorch stores members as they are"
      )
    }
    guard let offset = Int(exactly: offset), let size = Int(exactly: size),
      offset <= reader.file.size
    else { throw reader.malformed("\(size) bytes at \(offset)", at: position) }
    return (name, Member(content: try content(reader.file, offset, size), checksum: checksum))
  }

  /// Goes past the header that stands before the member's content.
  private static func content(
    _ file: MappedFile, _ offset: Int, _ size: Int
  ) throws(CheckpointError) -> Range<Int> {
    var reader = ByteReader(file, offset..<file.size)
    guard try reader.integer(UInt32.self) == 0x0403_4b50 else {
      throw reader.malformed("no member of a zip file", at: offset)
    }
    _ = try reader.take(22)
    let nameSize = Int(try reader.integer(UInt16.self))
    let extraSize = Int(try reader.integer(UInt16.self))
    _ = try reader.take(nameSize + extraSize)
    return try reader.take(size)
  }
}
