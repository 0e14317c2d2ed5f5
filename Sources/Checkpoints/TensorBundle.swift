/// A TensorFlow checkpoint: an index file, and data files ("shards") that hold the tensors.
///
/// Source: TensorFlow, `core/util/tensor_bundle`, `core/protobuf/tensor_bundle.proto`.
struct TensorBundle {
  struct Entry {
    var name: String
    /// TensorFlow's `DataType`.
    var type: FileNumber = 0
    var shape: [Int] = []
    var shard = 0
    /// Bytes of the shard.
    var data = 0..<0
    /// Masked CRC-32C of the data.
    var checksum: FileNumber = 0
    /// Where the entry is in the index.
    var position: Int
  }

  /// Sorted by name.
  let entries: [Entry]
  private let indexPath: String
  /// By number; a shard without an entry is not opened.
  private let shards: [Int: ModelFile]
  private let verifiesChecksums: Bool

  private static let maximumShardCount = 1024

  /// Opens the index and the shards, and checks that every entry lies in its shard.
  ///
  /// - Parameter prefix: the path without `.index`.
  init(prefix: String, verifiesChecksums: Bool) throws(CheckpointError) {
    let index = try ModelFile(path: prefix + ".index").bytes()
    let table = try SortedTable.entries(of: index, verifiesChecksums: verifiesChecksums)
    guard let header = table.first, header.key.isEmpty else {
      throw .malformed(
        path: index.path, tensor: nil, offset: 0, reason: "the first key must be the header's, \"\""
      )
    }
    let shardCount = try Self.shardCount(index, header.value)
    var entries: [Entry] = []
    var shards: [Int: ModelFile] = [:]
    for row in table.dropFirst() {
      let entry = try Self.entry(row, in: index)
      guard entry.shard < shardCount else {
        throw Self.malformed(index.path, entry, "shard \(entry.shard) of \(shardCount)")
      }
      if shards[entry.shard] == nil {
        let number = Self.fiveDigits(entry.shard)
        shards[entry.shard] = try ModelFile(
          path: "\(prefix).data-\(number)-of-\(Self.fiveDigits(shardCount))")
      }
      entries.append(entry)
    }
    try Self.checkLayout(of: entries, index.path, shards)
    self.entries = entries
    indexPath = index.path
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
      throw Self.malformed(indexPath, entry, "type \(entry.type) is no type of numbers")
    }
    guard type.size(of: entry.shape) == entry.data.count, type.size(of: shape) == entry.data.count
    else {
      throw Self.malformed(
        indexPath, entry, "\(type.rawValue) \(entry.shape) does not take \(entry.data.count) bytes")
    }
    let shard = try shard(of: entry)
    if verifiesChecksums {
      try check(entry, shard.checksum(.crc32c, of: entry.data), shard)
    }
    return Tensor(
      name: name, elementType: type, shape: shape, file: shard, range: entry.data,
      isTransposed: isTransposed)
  }

  /// The value of a scalar boolean.
  func boolean(_ entry: Entry) throws(CheckpointError) -> Bool {
    guard ElementType(tensorFlow: entry.type) == .bool, entry.shape.isEmpty, entry.data.count == 1
    else { throw Self.malformed(indexPath, entry, "is no single boolean") }
    let shard = try shard(of: entry)
    let bytes = try shard.bytes(entry.data).bytes
    if verifiesChecksums {
      try check(entry, unsafe bytes.withUnsafeBytes { unsafe Checksum.crc32c($0) }, shard)
    }
    return bytes[0] != 0
  }

  /// The bytes of a scalar string.
  func string(_ entry: Entry) throws(CheckpointError) -> (FileBytes, Range<Int>) {
    guard entry.type == 7, entry.shape.isEmpty else {
      throw Self.malformed(indexPath, entry, "is no single string")
    }
    let shard = try shard(of: entry)
    // A varint length, the masked checksum of the length as four bytes, the text. The entry's own
    // checksum is of the length as four bytes and all that follows the varint.
    let bytes = try shard.bytes(entry.data)
    var reader = ByteReader(bytes, tensor: entry.name)
    let length = try reader.varintCount()
    let checked = bytes[reader.offset..<reader.end]
    _ = try reader.take(4)
    let text = try reader.take(length)
    guard reader.isAtEnd, var size = UInt32(exactly: length)?.littleEndian else {
      throw reader.malformed("bytes after the string's end")
    }
    if verifiesChecksums {
      let start = unsafe withUnsafeBytes(of: &size) { unsafe Checksum.crc32c($0) }
      try check(
        entry, unsafe checked.withUnsafeBytes { unsafe Checksum.crc32c($0, after: start) }, shard)
    }
    return (bytes, text)
  }

  private func shard(of entry: Entry) throws(CheckpointError) -> ModelFile {
    guard let shard = shards[entry.shard] else {
      throw Self.malformed(indexPath, entry, "shard \(entry.shard) is not there")
    }
    return shard
  }

  private func check(
    _ entry: Entry, _ found: UInt32, _ shard: ModelFile
  ) throws(CheckpointError) {
    guard FileNumber(Checksum.masked(found)) == entry.checksum else {
      throw .malformed(
        path: shard.path, tensor: entry.name, offset: entry.data.lowerBound,
        reason: "the checksum of its \(entry.data.count) bytes is wrong")
    }
  }

  private static func shardCount(
    _ index: FileBytes, _ range: Range<Int>
  ) throws(CheckpointError) -> Int {
    var message = ProtobufMessage(index, range)
    var stated: FileNumber = 0
    while let field = try message.next() {
      switch (field.number, field.value) {
      case (1, .number(let value)): stated = value
      case (2, .number(let value)) where value != 0:
        throw .unsupported(path: index.path, reason: "big-endian values are not supported")
      default: break
      }
    }
    guard let count = stated.count(upTo: maximumShardCount), count > 0 else {
      throw message.reader.malformed("\(stated) shards", at: range.lowerBound)
    }
    return count
  }

  private static func entry(
    _ row: SortedTable.Entry, in index: FileBytes
  ) throws(CheckpointError) -> Entry {
    var entry = Entry(name: row.key, position: row.value.lowerBound)
    var message = ProtobufMessage(index, row.value)
    var shard: FileNumber = 0
    var offset: FileNumber = 0
    var size: FileNumber = 0
    while let field = try message.next() {
      switch (field.number, field.value) {
      case (1, .number(let value)): entry.type = value
      case (2, .bytes(let range)): entry.shape = try shape(range, entry, index)
      case (3, .number(let value)): shard = value
      case (4, .number(let value)): offset = value
      case (5, .number(let value)): size = value
      case (6, .number(let value)): entry.checksum = value
      case (7, _):
        throw .unsupported(
          path: index.path, reason: "\"\(row.key)\" is a partitioned variable: not supported")
      default: break
      }
    }
    guard let number = shard.count(upTo: maximumShardCount - 1),
      let data = FileNumber.range(offset: offset, count: size, in: 0..<Int.max)
    else {
      throw malformed(index.path, entry, "\(size) bytes at \(offset) of shard \(shard)")
    }
    entry.shard = number
    entry.data = data
    return entry
  }

  /// `TensorShapeProto`.
  private static func shape(
    _ range: Range<Int>, _ entry: Entry, _ index: FileBytes
  ) throws(CheckpointError) -> [Int] {
    var shape: [Int] = []
    try ProtobufMessage.forEach([2], in: index, range) { (inner) throws(CheckpointError) in
      var dimension = ProtobufMessage(index, inner)
      var length = 0
      while let field = try dimension.next() {
        guard field.number == 1, case .number(let value) = field.value else { continue }
        guard let known = value.count(upTo: .max) else {
          throw malformed(index.path, entry, "a dimension of \(value)")
        }
        length = known
      }
      guard shape.count < 8 else { throw malformed(index.path, entry, "more than 8 dimensions") }
      shape.append(length)
    }
    return shape
  }

  /// Every entry lies in its shard and shares no byte with another one.
  private static func checkLayout(
    of entries: [Entry], _ index: String, _ shards: [Int: ModelFile]
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
    _ index: String, _ entry: Entry, _ reason: String
  ) -> CheckpointError {
    .malformed(path: index, tensor: entry.name, offset: entry.position, reason: reason)
  }

  private static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
}

extension ElementType {
  /// Source: TensorFlow, `core/framework/types.proto`.
  fileprivate init?(tensorFlow type: FileNumber) {
    switch type.bits {
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
