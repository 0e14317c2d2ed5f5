/// What `saved_model.pb` holds: a graph of objects, the functions that they can be called with, and
/// the library of functions that those are made of.
///
/// Source: TensorFlow, `saved_model.proto`, `meta_graph.proto`, `saved_object_graph.proto`,
/// `function.proto`.
struct SavedModelGraph {
  struct Object {
    var children: [(name: String, node: Int)] = []
    /// The variable's name; nil if the object is none.
    var variable: String?
    /// Which file of the assets the object is.
    var asset: Int?
    /// Names of the concrete functions, if the object can be called.
    var functions: [String] = []
  }

  let path: String
  let file: FileBytes
  /// By number; the first is the root.
  private(set) var objects: [Object] = []
  /// File names below `assets/`.
  private(set) var assets: [String] = []
  /// Where each `SavedConcreteFunction` is, by the function's name.
  private var concreteFunctions: [String: Range<Int>] = [:]
  /// Where each `FunctionDef` is, by name.
  private var library: [String: Range<Int>] = [:]

  /// An export of BERT-large has 3,000.
  private static let maximumNodeCount = 1 << 18

  init(path: String) throws(CheckpointError) {
    self.path = path
    file = try ModelFile(path: path).bytes()
    let file = file
    // SavedModel.meta_graphs, MetaGraphDef.object_graph_def, SavedObjectGraph.nodes
    try ProtobufMessage.forEach([2, 7, 1], in: file, file.range) {
      (range) throws(CheckpointError) in
      guard objects.count < Self.maximumNodeCount else {
        throw ByteReader(file, range).malformed("more than \(Self.maximumNodeCount) objects")
      }
      objects.append(try Self.object(file, range))
    }
    // SavedObjectGraph.concrete_functions
    try ProtobufMessage.forEach([2, 7, 2], in: file, file.range) {
      (range) throws(CheckpointError) in
      let name = try ProtobufMessage.name(1, in: file, range)
      try ProtobufMessage.forEach([2], in: file, range) { concreteFunctions[name] = $0 }
    }
    // MetaGraphDef.graph_def, GraphDef.library, FunctionDefLibrary.function
    try ProtobufMessage.forEach([2, 2, 2, 1], in: file, file.range) {
      (range) throws(CheckpointError) in
      // FunctionDef.signature, OpDef.name: one, the last, as protobuf has it.
      var name: String?
      try ProtobufMessage.forEach([1, 1], in: file, range) { (last) throws(CheckpointError) in
        name = try ProtobufMessage.name(file, last)
      }
      if let name { library[name] = range }
    }
    // MetaGraphDef.asset_file_def, AssetFileDef.filename
    try ProtobufMessage.forEach([2, 6], in: file, file.range) { (range) throws(CheckpointError) in
      assets.append(try ProtobufMessage.name(2, in: file, range))
    }
  }

  private static func object(
    _ file: FileBytes, _ range: Range<Int>
  ) throws(CheckpointError) -> Object {
    var object = Object()
    var message = ProtobufMessage(file, range)
    while let field = try message.next() {
      guard case .bytes(let inner) = field.value else { continue }
      switch field.number {
      case 1:
        var child = ProtobufMessage(file, inner)
        var node: FileNumber = 0
        while let field = try child.next() {
          if field.number == 1, case .number(let value) = field.value { node = value }
        }
        guard let number = node.count(upTo: maximumNodeCount) else {
          throw child.reader.malformed("an object \(node)")
        }
        object.children.append((try ProtobufMessage.name(2, in: file, inner), number))
      case 5:
        var asset = ProtobufMessage(file, inner)
        object.asset = 0
        while let field = try asset.next() {
          if field.number == 1, case .number(let value) = field.value {
            object.asset = value.count(upTo: maximumNodeCount)
          }
        }
      case 6:
        try ProtobufMessage.forEach([1], in: file, inner) { (name) throws(CheckpointError) in
          object.functions.append(try ProtobufMessage.name(file, name))
        }
      case 7: object.variable = try ProtobufMessage.name(6, in: file, inner)
      default: break
      }
    }
    return object
  }

  /// A child of an object, by its name.
  func child(_ name: String, of node: Int) -> Int? {
    guard objects.indices.contains(node) else { return nil }
    return objects[node].children.first { $0.name == name && objects.indices.contains($0.node) }?
      .node
  }

  /// A function that an object can be called with; nil if there is none of this name.
  func signature(_ name: String) throws(CheckpointError) -> GraphSignature? {
    guard let range = concreteFunctions[name] else { return nil }
    return try GraphSignature(name, file, range)
  }

  /// The length to which the model's preprocessing fills texts up; nil without one, or if several do not
  /// agree.
  func textLength() throws(CheckpointError) -> Int? {
    var lengths: Set<Int> = []
    for name in Set(objects.lazy.flatMap(\.functions)) {
      guard let signature = try signature(name), signature.takesText,
        Set(signature.outputs.map(\.path)) == Set(SavedModelProbe.inputNames)
      else { continue }
      for output in signature.outputs {
        guard output.shape.count == 2, let length = output.shape[1] else { return nil }
        lengths.insert(length)
      }
    }
    return lengths.count == 1 ? lengths.first : nil
  }

  func function(_ name: String) throws(CheckpointError) -> GraphFunction? {
    guard let range = library[name] else { return nil }
    return try GraphFunction(name, file, range)
  }

  /// The functions with one of some operations, by name.
  func functions(with operations: Set<String>) throws(CheckpointError) -> [GraphFunction] {
    var found: [GraphFunction] = []
    for (name, range) in library.sorted(by: { $0.key < $1.key })
    where try !self.operations(of: range).isDisjoint(with: operations) {
      found.append(try GraphFunction(name, file, range))
    }
    return found
  }

  private func operations(of function: Range<Int>) throws(CheckpointError) -> Set<String> {
    var operations: Set<String> = []
    // FunctionDef.node_def, NodeDef.op
    try ProtobufMessage.forEach([3, 2], in: file, function) { (name) throws(CheckpointError) in
      operations.insert(try ProtobufMessage.name(file, name))
    }
    return operations
  }

  /// Whether the functions fold the case of texts that they make tokens of; nil if they make none, or
  /// it does not show.
  func foldsCase() throws(CheckpointError) -> Bool? {
    var operations: Set<String> = []
    for function in library.values { operations.formUnion(try self.operations(of: function)) }
    if !operations.isDisjoint(with: ["CaseFoldUTF8", "StringLower"]) { return true }
    // What this one does stands in a table of its own.
    if operations.contains("FastBertNormalize") { return nil }
    let tokenizers = ["WordpieceTokenizeWithOffsets", "FastWordpieceTokenizeWithOffsets"]
    return operations.isDisjoint(with: tokenizers) ? nil : false
  }
}
