/// What a function of a SavedModel takes and gives, tensor by tensor, and the variables that it uses.
///
/// Source: TensorFlow, `saved_object_graph.proto`, `SavedConcreteFunction`; `struct.proto`.
struct GraphSignature {
  struct Leaf {
    /// Keys and places on the way to it, "/" between them: `encoder_outputs/0`.
    var path: String
    /// The tensor's own name; nil for a boolean.
    var name: String?
    /// A dimension that may be anything is nil.
    var shape: [Int?] = []
    var isTrue = false
  }

  let name: String
  /// Arguments in the order of the function's, booleans (`training`) among them.
  private(set) var inputs: [Leaf] = []
  private(set) var outputs: [Leaf] = []
  /// Numbers of the objects that follow the arguments.
  private(set) var captures: [Int] = []

  /// Whether it can be called with texts and booleans that are false.
  var takesText: Bool {
    let tensors = inputs.filter { $0.name != nil }
    return tensors.count == 1 && tensors[0].shape == [nil] && !inputs.contains(where: \.isTrue)
  }

  private static let maximumDepth = 16
  private static let maximumLeafCount = 4_096

  init(_ name: String, _ file: FileBytes, _ range: Range<Int>) throws(CheckpointError) {
    self.name = name
    var message = ProtobufMessage(file, range)
    while let field = try message.next() {
      switch (field.number, field.value) {
      case (2, .number(let number)): try append(number, message.reader)
      case (2, .bytes(let packed)):
        var reader = ByteReader(file, packed)
        while !reader.isAtEnd { try append(reader.varint(), reader) }
      case (3, .bytes(let value)): inputs = try Self.leaves(file, value, "", 0)
      case (4, .bytes(let value)): outputs = try Self.leaves(file, value, "", 0)
      default: break
      }
    }
  }

  private mutating func append(
    _ number: FileNumber, _ reader: ByteReader
  ) throws(CheckpointError) {
    guard let node = number.count(upTo: 1 << 18), captures.count < Self.maximumLeafCount else {
      throw reader.malformed("object \(number) of \(captures.count) that a function uses")
    }
    captures.append(node)
  }

  /// The leaves of a `StructuredValue`, in TensorFlow's order: a dictionary's by key.
  private static func leaves(
    _ file: FileBytes, _ range: Range<Int>, _ path: String, _ depth: Int
  ) throws(CheckpointError) -> [Leaf] {
    var message = ProtobufMessage(file, range)
    guard depth < maximumDepth else { throw message.reader.malformed("too deep a structure") }
    var result: [Leaf] = []
    func add(_ key: String, _ inner: Range<Int>) throws(CheckpointError) {
      result += try leaves(file, inner, path.isEmpty ? key : "\(path)/\(key)", depth + 1)
      guard result.count <= maximumLeafCount else {
        throw message.reader.malformed("more than \(maximumLeafCount) values")
      }
    }
    while let field = try message.next() {
      switch (field.number, field.value) {
      case (14, .number(let value)):
        result.append(Leaf(path: path, isTrue: value != 0))
      case (33, .bytes(let inner)):
        let name = try ProtobufMessage.name(1, in: file, inner)
        var leaf = Leaf(path: path, name: name)
        try ProtobufMessage.forEach([2, 2], in: file, inner) { (range) throws(CheckpointError) in
          var length: Int?
          var dimension = ProtobufMessage(file, range)
          while let field = try dimension.next() {
            if field.number == 1, case .number(let value) = field.value {
              length = value.count(upTo: 1 << 30)
            }
          }
          leaf.shape.append(length)
        }
        result.append(leaf)
      case (51, .bytes(let inner)), (52, .bytes(let inner)):
        var index = 0
        try ProtobufMessage.forEach([1], in: file, inner) { (value) throws(CheckpointError) in
          try add(String(index), value)
          index += 1
        }
      case (53, .bytes(let inner)):
        var members: [(key: String, value: Range<Int>)] = []
        try ProtobufMessage.forEach([1], in: file, inner) { (member) throws(CheckpointError) in
          let key = try ProtobufMessage.name(1, in: file, member)
          try ProtobufMessage.forEach([2], in: file, member) { members.append((key, $0)) }
        }
        members.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        for member in members { try add(member.key, member.value) }
      default: break
      }
    }
    return result
  }
}
