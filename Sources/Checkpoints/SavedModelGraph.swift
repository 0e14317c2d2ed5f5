/// What `saved_model.pb` says of a model: its variables' names, and the choices that its
/// functions were traced with.
///
/// Source: TensorFlow, `saved_model.proto`, `meta_graph.proto`, `saved_object_graph.proto`,
/// `function.proto`, `node_def.proto`.
struct SavedModelGraph {
  let path: String
  /// By the number of the object graph's node.
  private(set) var variableNames: [Int: String] = [:]
  /// Of every function.
  private(set) var operations: Set<String> = []
  /// The constants that layer norms add to the variance.
  private(set) var layerNormEpsilons: Set<Float> = []

  /// An export of BERT-large has 3,000.
  private static let maximumNodeCount = 1 << 18

  init(path: String) throws(CheckpointError) {
    self.path = path
    let file = try ModelFile(path: path).bytes()
    // SavedModel.meta_graphs, MetaGraphDef.object_graph_def, SavedObjectGraph.nodes
    var node = 0
    try ProtobufMessage.forEach([2, 7, 1], in: file, file.range) {
      (range) throws(CheckpointError) in
      guard node < Self.maximumNodeCount else {
        throw ByteReader(file, range).malformed("more than \(Self.maximumNodeCount) objects")
      }
      // SavedObject.variable
      try ProtobufMessage.forEach([7], in: file, range) { (variable) throws(CheckpointError) in
        variableNames[node] = try ProtobufMessage.string(6, in: file, variable)
      }
      node += 1
    }
    // MetaGraphDef.graph_def, GraphDef.library, FunctionDefLibrary.function, FunctionDef.node_def
    try ProtobufMessage.forEach([2, 2, 2, 1, 3], in: file, file.range) {
      (range) throws(CheckpointError) in
      operations.insert(try ProtobufMessage.string(2, in: file, range))
      guard try ProtobufMessage.string(1, in: file, range).hasSuffix("/batchnorm/add/y") else {
        return
      }
      // NodeDef.attr's value, AttrValue.tensor
      try ProtobufMessage.forEach([5, 2, 8], in: file, range) { (tensor) throws(CheckpointError) in
        if let value = try Self.scalar(file, tensor) { layerNormEpsilons.insert(value) }
      }
    }
  }

  /// The value of a `TensorProto` that holds one float32.
  private static func scalar(
    _ file: FileBytes, _ range: Range<Int>
  ) throws(CheckpointError) -> Float? {
    var message = ProtobufMessage(file, range)
    while let field = try message.next() {
      switch (field.number, field.value) {
      case (4, .bytes(let content)), (5, .bytes(let content)):
        guard content.count == 4 else { continue }
        var reader = ByteReader(file, content)
        return Self.float(try reader.number(bytes: 4))
      case (5, .number(let bits)):
        return Self.float(bits)
      default: continue
      }
    }
    return nil
  }

  private static func float(_ number: FileNumber) -> Float {
    Float(bitPattern: UInt32(truncatingIfNeeded: number.bits))
  }

  /// Whether the functions use the error function, or the third power and tanh. Every BERT has a
  /// tanh, in its pooler.
  func activation() throws(CheckpointError) -> ModelConfiguration.Activation {
    if !operations.isDisjoint(with: ["Erf", "Erfc"]) { return .geluErf }
    if operations.isSuperset(of: ["Pow", "Tanh"]) { return .geluTanh }
    if operations.contains("Relu") { return .relu }
    throw .unsupported(
      path: path, reason: "its functions use no activation that is known: GELU in either form, ReLU"
    )
  }

  func layerNormEpsilon() throws(CheckpointError) -> Double {
    guard layerNormEpsilons.count == 1, let value = layerNormEpsilons.first, value > 0, value < 1
    else {
      throw .unsupported(
        path: path,
        reason: "its layer norms must have one epsilon, have \(layerNormEpsilons.sorted())")
    }
    // The decimal that was written, not the double nearest to the float32.
    return Double(value.description) ?? Double(value)
  }
}
