/// A LevelDB table: sorted keys with their values, in blocks that carry checksums.
///
/// Source: https://github.com/google/leveldb, `doc/table_format.md`; TensorFlow's `lib/io/table`.
enum SortedTable {
  struct Entry {
    var key: String
    /// The value's place in the file.
    var value: Range<Int>
  }

  /// BERT with 64 blocks and an optimizer's two slots a variable has about 3,300.
  static let maximumEntryCount = 16_384
  static let maximumKeySize = 512

  private static let footerSize = 48
  private static let magic: UInt64 = 0xdb47_7524_8b80_fb57

  /// All entries, their keys ascending.
  static func entries(
    of file: MappedFile, verifiesChecksums: Bool
  ) throws(CheckpointError) -> [Entry] {
    var footer = ByteReader(file, max(0, file.size - footerSize)..<file.size)
    guard file.size >= footerSize else {
      throw footer.malformed("\(file.size) bytes are no LevelDB table")
    }
    _ = try handle(&footer)
    let index = try handle(&footer)
    var ending = ByteReader(file, file.size - 8..<file.size)
    guard try ending.integer(UInt64.self) == magic else {
      throw ending.malformed("no LevelDB table ends like this; is the file cut short?")
    }

    var entries: [Entry] = []
    var end = 0
    try forEachEntry(of: file, index, verifiesChecksums) { (_, value) throws(CheckpointError) in
      var reader = ByteReader(file, value)
      let block = try handle(&reader)
      // So that no block is read twice.
      guard block.lowerBound >= end else {
        throw reader.malformed("a block at \(block.lowerBound), the one before ends at \(end)")
      }
      end = block.upperBound
      try forEachEntry(of: file, block, verifiesChecksums) { (key, value) throws(CheckpointError) in
        let reader = ByteReader(file, value)
        guard let key = String(validating: key, as: UTF8.self) else {
          throw reader.malformed("a key that is not UTF-8")
        }
        if let last = entries.last, !last.key.utf8.lexicographicallyPrecedes(key.utf8) {
          throw reader.malformed("the key \"\(key)\" after \"\(last.key)\"")
        }
        guard entries.count < maximumEntryCount else {
          throw reader.malformed("more than \(maximumEntryCount) entries")
        }
        entries.append(Entry(key: key, value: value))
      }
    }
    return entries
  }

  /// The place of a block, without the five bytes behind it.
  private static func handle(_ reader: inout ByteReader) throws(CheckpointError) -> Range<Int> {
    let start = reader.offset
    let offset = try reader.count()
    let size = try reader.count()
    guard offset <= reader.file.size, size <= reader.file.size - offset - 5 else {
      throw reader.malformed("a block of \(size) bytes at \(offset)", at: start)
    }
    return offset..<offset + size
  }

  private static func forEachEntry(
    of file: MappedFile, _ block: Range<Int>, _ verifiesChecksums: Bool,
    _ body: (_ key: [UInt8], _ value: Range<Int>) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    var trailer = ByteReader(file, block.upperBound..<block.upperBound + 5)
    let compression = try trailer.byte()
    let checksum = try trailer.integer(UInt32.self)
    if verifiesChecksums {
      let content = unsafe UnsafeRawBufferPointer(
        rebasing: file.bytes[block.lowerBound..<block.upperBound + 1])
      guard unsafe Checksum.masked(Checksum.crc32c(content)) == checksum else {
        throw trailer.malformed("the block's checksum is wrong", at: block.lowerBound)
      }
    }
    guard compression == 0 else {
      let name = compression == 1 ? "Snappy" : "method \(compression)"
      throw .unsupported(
        path: file.path, reason: "a table compressed with \(name) is not supported")
    }

    // At the end a list of the entries whose key is whole, and its length.
    guard block.count >= 4 else { throw trailer.malformed("a block of \(block.count) bytes") }
    var ending = ByteReader(file, block.upperBound - 4..<block.upperBound)
    let restarts = Int(try ending.integer(UInt32.self))
    guard restarts <= (block.count - 4) / 4 else {
      throw trailer.malformed("\(restarts) restarts in a block of \(block.count) bytes")
    }
    var reader = ByteReader(file, block.lowerBound..<block.upperBound - 4 - 4 * restarts)
    var key: [UInt8] = []
    while !reader.isAtEnd {
      let shared = try reader.count()
      let own = try reader.count()
      let valueSize = try reader.count()
      guard shared <= key.count, own <= maximumKeySize - shared else {
        throw reader.malformed("a key of \(shared) + \(own) bytes after one of \(key.count)")
      }
      key.removeSubrange(shared...)
      let ownBytes = try reader.take(own)
      unsafe key.append(contentsOf: file.bytes[ownBytes])
      try body(key, reader.take(valueSize))
    }
  }
}
