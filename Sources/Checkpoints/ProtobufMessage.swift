/// The fields of a protobuf message, one after the other, with no schema.
///
/// Source: https://protobuf.dev/programming-guides/encoding
struct ProtobufMessage {
  enum Value {
    case number(FileNumber)
    /// A message, a text or bytes: its place in the file.
    case bytes(Range<Int>)
  }

  struct Field {
    var number: Int
    var value: Value
    /// Where it begins in the file.
    var position: Int
  }

  private(set) var reader: ByteReader

  init(_ file: FileBytes, _ range: Range<Int>) { reader = ByteReader(file, range) }

  /// The next field; nil at the message's end.
  mutating func next() throws(CheckpointError) -> Field? {
    guard !reader.isAtEnd else { return nil }
    let position = reader.offset
    let number = try reader.varint()
    guard let tag = number.count(upTo: (1 << 32) - 1), tag >= 8 else {
      throw reader.malformed("\(number) is no protobuf field", at: position)
    }
    let value: Value
    switch tag & 7 {
    case 0: value = .number(try reader.varint())
    case 1: value = .number(try reader.number(bytes: 8))
    case 2: value = .bytes(try reader.take(reader.varintCount()))
    case 5: value = .number(try reader.number(bytes: 4))
    default: throw reader.malformed("protobuf wire type \(tag & 7)", at: position)
    }
    return Field(number: tag >> 3, value: value, position: position)
  }

  /// The messages, texts or byte strings of these field numbers, one number within the other, in
  /// the order of the file.
  static func forEach(
    _ path: [Int], in file: FileBytes, _ range: Range<Int>,
    _ body: (Range<Int>) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    guard let number = path.first else { return try body(range) }
    var message = ProtobufMessage(file, range)
    while let field = try message.next() {
      guard field.number == number, case .bytes(let inner) = field.value else { continue }
      try forEach(Array(path.dropFirst()), in: file, inner, body)
    }
  }

  /// The name in a field, the last one if there are several, "" if there is none.
  static func name(
    _ number: Int, in file: FileBytes, _ range: Range<Int>
  ) throws(CheckpointError) -> String {
    var name = ""
    try forEach([number], in: file, range) { (inner) throws(CheckpointError) in
      name = try Self.name(file, inner)
    }
    return name
  }

  /// The name in these bytes.
  static func name(_ file: FileBytes, _ range: Range<Int>) throws(CheckpointError) -> String {
    var reader = ByteReader(file, range)
    return try reader.name(range.count)
  }
}
