/// A function of TensorFlow's: nodes that take each other's results.
///
/// Source: TensorFlow, `function.proto`, `node_def.proto`, `attr_value.proto`, `tensor.proto`.
struct GraphFunction {
  struct Node {
    var name: String
    var operation = ""
    /// Names of arguments, or `node:output:number`. A dependency of order alone is left out.
    var inputs: [String] = []
    /// Where each attribute's value is.
    var attributes: [String: Range<Int>] = [:]
  }

  let name: String
  private(set) var arguments: [String] = []
  /// What is returned, in order; each as a node's input is written.
  private(set) var results: [String] = []
  private(set) var nodes: [String: Node] = [:]
  private let file: FileBytes

  private static let maximumNodeCount = 1 << 16

  init(_ name: String, _ file: FileBytes, _ range: Range<Int>) throws(CheckpointError) {
    self.name = name
    self.file = file
    var arguments: [String] = []
    var outputs: [String] = []
    var returned: [String: String] = [:]
    var nodes: [String: Node] = [:]
    // FunctionDef.signature: OpDef.input_arg and output_arg, ArgDef.name
    try ProtobufMessage.forEach([1, 2], in: file, range) { (argument) throws(CheckpointError) in
      arguments.append(try ProtobufMessage.name(1, in: file, argument))
    }
    try ProtobufMessage.forEach([1, 3], in: file, range) { (argument) throws(CheckpointError) in
      outputs.append(try ProtobufMessage.name(1, in: file, argument))
    }
    // FunctionDef.ret
    try ProtobufMessage.forEach([4], in: file, range) { (member) throws(CheckpointError) in
      returned[try ProtobufMessage.name(1, in: file, member)] =
        try ProtobufMessage.name(2, in: file, member)
    }
    try ProtobufMessage.forEach([3], in: file, range) { (definition) throws(CheckpointError) in
      var node = Node(name: "")
      var message = ProtobufMessage(file, definition)
      while let field = try message.next() {
        guard case .bytes(let inner) = field.value else { continue }
        switch field.number {
        case 1: node.name = try ProtobufMessage.name(file, inner)
        case 2: node.operation = try ProtobufMessage.name(file, inner)
        case 3:
          let input = try ProtobufMessage.name(file, inner)
          if !input.hasPrefix("^") { node.inputs.append(input) }
        case 5:
          let key = try ProtobufMessage.name(1, in: file, inner)
          try ProtobufMessage.forEach([2], in: file, inner) { node.attributes[key] = $0 }
        default: break
        }
      }
      guard nodes.count < Self.maximumNodeCount else {
        throw message.reader.malformed("more than \(Self.maximumNodeCount) nodes in a function")
      }
      nodes[node.name] = node
    }
    self.arguments = arguments
    results = outputs.map { returned[$0] ?? "" }
    self.nodes = nodes
  }

  /// The value of a field of an attribute; nil if it is not there.
  private func value(
    _ key: String, _ number: Int, of node: Node
  ) throws(CheckpointError) -> ProtobufMessage.Value? {
    guard let range = node.attributes[key] else { return nil }
    var message = ProtobufMessage(file, range)
    var found: ProtobufMessage.Value?
    while let field = try message.next() { if field.number == number { found = field.value } }
    return found
  }

  /// A number, a boolean or a type; 0 if it is not there.
  func number(_ key: String, of node: Node) throws(CheckpointError) -> FileNumber {
    for field in [3, 5, 6] {
      if case .number(let number)? = try value(key, field, of: node) { return number }
    }
    return 0
  }

  func string(_ key: String, of node: Node) throws(CheckpointError) -> String {
    guard let range = try bytes(key, of: node) else { return "" }
    return try ProtobufMessage.name(file, range)
  }

  /// Where the bytes of an attribute are; nil if it is not there.
  func bytes(_ key: String, of node: Node) throws(CheckpointError) -> Range<Int>? {
    guard case .bytes(let range)? = try value(key, 2, of: node) else { return nil }
    return range
  }

  /// The node or argument that an input is of: `node:output:3` without what follows the name.
  static func sourceName(_ input: String) -> String { String(input.prefix { $0 != ":" }) }

  /// The node that an input comes from; nil if that is an argument.
  func source(of input: String) -> Node? { nodes[Self.sourceName(input)] }

  /// The name of the function that a node calls.
  func callee(of node: Node) throws(CheckpointError) -> String? {
    guard case .bytes(let range)? = try value("f", 10, of: node) else { return nil }
    return try ProtobufMessage.name(1, in: file, range)
  }

  /// A constant's numbers; nil if it holds something else.
  func constant(_ node: Node) throws(CheckpointError) -> GraphArray? {
    guard case .bytes(let range)? = try value("value", 8, of: node) else { return nil }
    var type: FileNumber = 0
    var shape: [Int] = []
    var values: [Double] = []
    var message = ProtobufMessage(file, range)
    func number(_ bits: FileNumber) -> Double {
      switch type {
      case 1: Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits.bits)))
      case 2: Double(bitPattern: bits.bits)
      case 3: Double(Int32(truncatingIfNeeded: bits.bits))
      default: Double(Int64(bitPattern: bits.bits))
      }
    }
    while let field = try message.next() {
      switch (field.number, field.value) {
      case (1, .number(let value)): type = value
      case (2, .bytes(let inner)):
        try ProtobufMessage.forEach([2], in: file, inner) { (range) throws(CheckpointError) in
          var dimension = ProtobufMessage(file, range)
          var length = 0
          while let field = try dimension.next() {
            if field.number == 1, case .number(let value) = field.value {
              length = value.count(upTo: GraphArray.maximumCount) ?? -1
            }
          }
          shape.append(length)
        }
      // The numbers as they are in memory, or one by one.
      case (4, .bytes(let content)):
        guard let size = [1: 4, 2: 8, 3: 4, 9: 8, 10: 1][type.bits] else { return nil }
        var reader = ByteReader(file, content)
        while !reader.isAtEnd, values.count < GraphArray.maximumCount {
          values.append(number(try reader.number(bytes: size)))
        }
      case (5...7, .number(let value)), (10...11, .number(let value)): values.append(number(value))
      case (5, .bytes(let packed)), (6, .bytes(let packed)):
        var reader = ByteReader(file, packed)
        while !reader.isAtEnd, values.count < GraphArray.maximumCount {
          values.append(number(try reader.number(bytes: field.number == 5 ? 4 : 8)))
        }
      case (7, .bytes(let packed)), (10...11, .bytes(let packed)):
        var reader = ByteReader(file, packed)
        while !reader.isAtEnd, values.count < GraphArray.maximumCount {
          values.append(number(try reader.varint()))
        }
      default: break
      }
    }
    guard [1, 2, 3, 9, 10].contains(type.bits), let count = GraphArray.count(shape),
      values.count <= count
    else { return nil }
    // What is not written is as the last one.
    values += Array(repeating: values.last ?? 0, count: count - values.count)
    return GraphArray(shape, values)
  }
}
