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

  private static let footerSize = 48
  private static let magic: FileNumber = 0xdb47_7524_8b80_fb57
  /// Behind each block: how it is compressed, and its checksum.
  private static let trailerSize = 5

  /// All entries, their keys ascending.
  static func entries(
    of file: FileBytes, verifiesChecksums: Bool
  ) throws(CheckpointError) -> [Entry] {
    let size = file.bytes.count
    guard size >= footerSize else {
      throw ByteReader(file).malformed("\(size) bytes are no LevelDB table")
    }
    var footer = ByteReader(file, size - footerSize..<size)
    _ = try handle(&footer)
    let index = try handle(&footer)
    var ending = ByteReader(file, size - 8..<size)
    guard try ending.number(bytes: 8) == magic else {
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
        // Of ASCII, as in `ByteReader.name`.
        guard let key = String(validating: key, as: Unicode.ASCII.self) else {
          let shown = String(decoding: key, as: UTF8.self)
          throw reader.malformed("the key \"\(shown)\" is not ASCII")
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

  /// The place of a block, without the trailer behind it.
  private static func handle(_ reader: inout ByteReader) throws(CheckpointError) -> Range<Int> {
    let start = reader.offset
    let (offset, size) = (try reader.varint(), try reader.varint())
    guard
      let block = FileNumber.range(
        offset: offset, count: size, in: 0..<reader.file.bytes.count - trailerSize)
    else { throw reader.malformed("a block of \(size) bytes at \(offset)", at: start) }
    return block
  }

  private static func forEachEntry(
    of file: FileBytes, _ block: Range<Int>, _ verifiesChecksums: Bool,
    _ body: (_ key: [UInt8], _ value: Range<Int>) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    var trailer = ByteReader(file, block.upperBound..<block.upperBound + trailerSize)
    let compression = try trailer.byte()
    let checksum = try trailer.number(bytes: 4)
    if verifiesChecksums {
      let content = file[block.lowerBound..<block.upperBound + 1]
      let found = unsafe content.withUnsafeBytes { unsafe Checksum.crc32c($0) }
      guard FileNumber(Checksum.masked(found)) == checksum else {
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
    let stated = try ending.number(bytes: 4)
    guard let restarts = stated.count(upTo: (block.count - 4) / 4) else {
      throw trailer.malformed("\(stated) restarts in a block of \(block.count) bytes")
    }
    var reader = ByteReader(file, block.lowerBound..<block.upperBound - 4 - 4 * restarts)
    var key: [UInt8] = []
    while !reader.isAtEnd {
      let (shared, own) = (try reader.varint(), try reader.varint())
      let valueSize = try reader.varintCount()
      guard let kept = shared.count(upTo: key.count),
        let added = own.count(upTo: ByteReader.maximumNameSize - kept)
      else {
        throw reader.malformed("a key of \(shared) + \(own) bytes after one of \(key.count)")
      }
      key.removeSubrange(kept...)
      key += file[try reader.take(added)]
      try body(key, reader.take(valueSize))
    }
  }
}
