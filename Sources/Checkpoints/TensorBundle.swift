/// A TensorFlow checkpoint: an index file, and data files ("shards") that hold the tensors.
///
/// Source: TensorFlow, `core/util/tensor_bundle`, `core/protobuf/tensor_bundle.proto`.
struct TensorBundle {
  struct Entry {
    var name: String
    /// TensorFlow's `DataType`.
    var type: UInt64 = 0
    var shape: [Int] = []
    var shard = 0
    /// Bytes of the shard.
    var data = 0..<0
    /// Masked CRC-32C of the data.
    var checksum: UInt32 = 0
    /// Where the entry is in the index.
    var position: Int
  }

  /// Sorted by name.
  let entries: [Entry]
  private let index: MappedFile
  /// By number; a shard without an entry is not opened.
  private let shards: [Int: MappedFile]
  private let verifiesChecksums: Bool

  private static let maximumShardCount = 1024

  /// Opens the index and the shards, and checks that every entry lies in its shard.
  ///
  /// - Parameter prefix: the path without `.index`.
  init(prefix: String, verifiesChecksums: Bool) throws(CheckpointError) {
    let index = try MappedFile(path: prefix + ".index")
    let table = try SortedTable.entries(of: index, verifiesChecksums: verifiesChecksums)
    guard let header = table.first, header.key.isEmpty else {
      throw .malformed(
        path: index.path, tensor: nil, offset: 0, reason: "the first key must be the header's, \"\""
      )
    }
    let shardCount = try Self.shardCount(index, header.value)
    var entries: [Entry] = []
    var shards: [Int: MappedFile] = [:]
    for row in table.dropFirst() {
      let entry = try Self.entry(row, in: index)
      guard entry.shard < shardCount else {
        throw Self.malformed(index, entry, "shard \(entry.shard) of \(shardCount)")
      }
      if shards[entry.shard] == nil {
        let number = Self.fiveDigits(entry.shard)
        shards[entry.shard] = try MappedFile(
          path: "\(prefix).data-\(number)-of-\(Self.fiveDigits(shardCount))")
      }
      entries.append(entry)
    }
    try Self.checkLayout(of: entries, index, shards)
    self.entries = entries
    self.index = index
    self.shards = shards
    self.verifiesChecksums = verifiesChecksums
  }

  /// The entry's values, its checksum verified.
  ///
  /// - Parameters:
  ///   - name: what the tensor is to be called.
  ///   - shape: what it is to be; as many values as the entry's own.
  ///   - isTransposed: see `Tensor`.
  func tensor(
    _ entry: Entry, name: String, shape: [Int], isTransposed: Bool
  ) throws(CheckpointError) -> Tensor {
    guard let type = ElementType(tensorFlow: entry.type) else {
      throw Self.malformed(index, entry, "type \(entry.type) is no type of numbers")
    }
    guard type.size(of: entry.shape) == entry.data.count, type.size(of: shape) == entry.data.count
    else {
      throw Self.malformed(
        index, entry, "\(type.rawValue) \(entry.shape) does not take \(entry.data.count) bytes")
    }
    let shard = try verified(entry)
    let tensor = Tensor(
      name: name, elementType: type, shape: shape, file: shard, range: entry.data,
      isTransposed: isTransposed)
    // Verifying has touched every page; the next touch may be long after.
    tensor.adviseDone()
    return tensor
  }

  /// The bytes of a scalar string, and the shard that they are in.
  func string(_ entry: Entry) throws(CheckpointError) -> (MappedFile, Range<Int>) {
    guard entry.type == 7, entry.shape.isEmpty, let shard = shards[entry.shard] else {
      throw Self.malformed(index, entry, "is no single string")
    }
    // A varint length, the masked checksum of the length as four bytes, the text. The entry's own
    // checksum is of the length as four bytes and all that follows the varint.
    var reader = ByteReader(shard, entry.data, tensor: entry.name)
    let length = try reader.count()
    let checked = reader.offset..<entry.data.upperBound
    _ = try reader.integer(UInt32.self)
    let text = try reader.take(length)
    guard reader.isAtEnd, var size = UInt32(exactly: length)?.littleEndian else {
      throw reader.malformed("bytes after the string's end")
    }
    if verifiesChecksums {
      let start = unsafe withUnsafeBytes(of: &size) { unsafe Checksum.crc32c($0) }
      let rest = unsafe UnsafeRawBufferPointer(rebasing: shard.bytes[checked])
      guard unsafe Checksum.masked(Checksum.crc32c(rest, after: start)) == entry.checksum else {
        throw reader.malformed("the checksum is wrong", at: entry.data.lowerBound)
      }
    }
    return (shard, text)
  }

  private func verified(_ entry: Entry) throws(CheckpointError) -> MappedFile {
    guard let shard = shards[entry.shard] else {
      throw Self.malformed(index, entry, "shard \(entry.shard) is not there")
    }
    guard verifiesChecksums else { return shard }
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: shard.bytes[entry.data])
    guard unsafe Checksum.masked(Checksum.crc32c(bytes)) == entry.checksum else {
      throw .malformed(
        path: shard.path, tensor: entry.name, offset: entry.data.lowerBound,
        reason: "the checksum of its \(entry.data.count) bytes is wrong")
    }
    return shard
  }

  private static func shardCount(
    _ index: MappedFile, _ range: Range<Int>
  ) throws(CheckpointError) -> Int {
    var message = ProtobufMessage(index, range)
    var count: UInt64 = 0
    while let field = try message.next() {
      switch (field.number, field.value) {
      case (1, .number(let value)): count = value
      case (2, .number(let value)) where value != 0:
        throw .unsupported(path: index.path, reason: "big-endian values are not supported")
      default: break
      }
    }
    guard (1...UInt64(maximumShardCount)).contains(count) else {
      throw message.reader.malformed("\(count) shards", at: range.lowerBound)
    }
    return Int(count)
  }

  private static func entry(
    _ row: SortedTable.Entry, in index: MappedFile
  ) throws(CheckpointError) -> Entry {
    var entry = Entry(name: row.key, position: row.value.lowerBound)
    var message = ProtobufMessage(index, row.value)
    var shard: UInt64 = 0
    var offset: UInt64 = 0
    var size: UInt64 = 0
    while let field = try message.next() {
      switch (field.number, field.value) {
      case (1, .number(let value)): entry.type = value
      case (2, .bytes(let range)): entry.shape = try shape(range, entry, index)
      case (3, .number(let value)): shard = value
      case (4, .number(let value)): offset = value
      case (5, .number(let value)): size = value
      case (6, .number(let value)): entry.checksum = UInt32(truncatingIfNeeded: value)
      case (7, _):
        throw .unsupported(
          path: index.path, reason: "\"\(row.key)\" is a partitioned variable: not supported")
      default: break
      }
    }
    let end = offset.addingReportingOverflow(size)
    guard shard < maximumShardCount, !end.overflow, end.partialValue <= UInt64(Int.max) else {
      throw malformed(index, entry, "\(size) bytes at \(offset) of shard \(shard)")
    }
    entry.shard = Int(shard)
    entry.data = Int(offset)..<Int(end.partialValue)
    return entry
  }

  /// `TensorShapeProto`.
  private static func shape(
    _ range: Range<Int>, _ entry: Entry, _ index: MappedFile
  ) throws(CheckpointError) -> [Int] {
    var shape: [Int] = []
    try ProtobufMessage.forEach([2], in: index, range) { (inner) throws(CheckpointError) in
      var dimension = ProtobufMessage(index, inner)
      var length = 0
      while let field = try dimension.next() {
        guard field.number == 1, case .number(let value) = field.value else { continue }
        guard let known = Int(exactly: value) else {
          throw malformed(index, entry, "a dimension of \(value)")
        }
        length = known
      }
      guard shape.count < 8 else { throw malformed(index, entry, "more than 8 dimensions") }
      shape.append(length)
    }
    return shape
  }

  /// Every entry lies in its shard and shares no byte with another one.
  private static func checkLayout(
    of entries: [Entry], _ index: MappedFile, _ shards: [Int: MappedFile]
  ) throws(CheckpointError) {
    var ends: [Int: Int] = [:]
    let order = { (entry: Entry) in
      (entry.shard, entry.data.lowerBound, entry.data.upperBound)
    }
    for entry in entries.sorted(by: { order($0) < order($1) }) {
      let size = shards[entry.shard]?.size ?? 0
      guard entry.data.upperBound <= size else {
        throw malformed(
          index, entry,
          "its data ends at \(entry.data.upperBound) of \(size); is the data file cut short?")
      }
      let end = ends[entry.shard, default: 0]
      guard entry.data.lowerBound >= end else {
        throw malformed(
          index, entry, "its data begins at \(entry.data.lowerBound), the one before ends at \(end)"
        )
      }
      ends[entry.shard] = entry.data.upperBound
    }
  }

  private static func malformed(
    _ index: MappedFile, _ entry: Entry, _ reason: String
  ) -> CheckpointError {
    .malformed(path: index.path, tensor: entry.name, offset: entry.position, reason: reason)
  }

  private static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
}

extension ElementType {
  /// Source: TensorFlow, `core/framework/types.proto`.
  fileprivate init?(tensorFlow type: UInt64) {
    switch type {
    case 1: self = .float32
    case 2: self = .float64
    case 3: self = .int32
    case 4: self = .uint8
    case 5: self = .int16
    case 6: self = .int8
    case 9: self = .int64
    case 10: self = .bool
    case 14: self = .bfloat16
    case 17: self = .uint16
    case 19: self = .float16
    case 22: self = .uint32
    case 23: self = .uint64
    default: return nil
    }
  }
}
