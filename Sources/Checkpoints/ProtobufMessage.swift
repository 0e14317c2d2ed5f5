/// The fields of a protobuf message in a mapped file, one after the other, with no schema.
///
/// Source: https://protobuf.dev/programming-guides/encoding
struct ProtobufMessage {
  enum Value {
    case number(UInt64)
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

  init(_ file: MappedFile, _ range: Range<Int>) { reader = ByteReader(file, range) }

  /// The next field; nil at the message's end.
  mutating func next() throws(CheckpointError) -> Field? {
    guard !reader.isAtEnd else { return nil }
    let position = reader.offset
    let tag = try reader.varint()
    guard (8..<1 << 32).contains(tag) else {
      throw reader.malformed("\(tag) is no protobuf field", at: position)
    }
    let value: Value
    switch tag & 7 {
    case 0: value = .number(try reader.varint())
    case 1: value = .number(try reader.integer(UInt64.self))
    case 2: value = .bytes(try reader.take(reader.count()))
    case 5: value = .number(UInt64(try reader.integer(UInt32.self)))
    default: throw reader.malformed("protobuf wire type \(tag & 7)", at: position)
    }
    return Field(number: Int(tag >> 3), value: value, position: position)
  }

  /// The messages, texts or byte strings of these field numbers, one number within the other, in
  /// the order of the file.
  static func forEach(
    _ path: [Int], in file: MappedFile, _ range: Range<Int>,
    _ body: (Range<Int>) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    guard let number = path.first else { return try body(range) }
    var message = ProtobufMessage(file, range)
    while let field = try message.next() {
      guard field.number == number, case .bytes(let inner) = field.value else { continue }
      try forEach(Array(path.dropFirst()), in: file, inner, body)
    }
  }

  /// The text of a field, the last one if there are several, "" if there is none.
  static func string(
    _ number: Int, in file: MappedFile, _ range: Range<Int>
  ) throws(CheckpointError) -> String {
    var text = ""
    try forEach([number], in: file, range) { (inner) throws(CheckpointError) in
      var reader = ByteReader(file, inner)
      text = try reader.string(inner.count)
    }
    return text
  }
}
