/// A TensorFlow SavedModel of a BERT encoder, as TF Hub has them: `saved_model.pb`,
/// `variables/variables.*`, `assets/vocab.txt`.
struct SavedModelFolder {
  let configuration: ModelConfiguration
  /// By canonical name.
  let tensors: [String: Tensor]
  /// The variable `do_lower_case`; nil if there is none.
  let lowercases: Bool?

  static let files = ["saved_model.pb", "variables/variables.index"]

  static func isPresent(in folder: String) -> Bool { Folder.hasFile("saved_model.pb", in: folder) }

  init(_ folder: String, verifiesChecksums: Bool = true) throws(CheckpointError) {
    let graph = try SavedModelGraph(path: Folder.path("saved_model.pb", in: folder))
    let variables = Folder.path("variables/variables", in: folder)
    let bundle = try TensorBundle(prefix: variables, verifiesChecksums: verifiesChecksums)
    let names = try Self.names(bundle, graph)
    var heads: Int?
    (tensors, heads) = try Self.tensors(bundle, names)
    lowercases = try Self.lowercases(bundle)
    configuration = try Self.configuration(tensors, heads, graph)
  }

  /// A variable's name by its key in the checkpoint.
  ///
  /// The checkpoint's own object graph has both. Its nodes are those of `saved_model.pb`, which
  /// names the variables again.
  private static func names(
    _ bundle: TensorBundle, _ graph: SavedModelGraph
  ) throws(CheckpointError) -> [String: String] {
    guard let entry = bundle.entries.first(where: { $0.name == "_CHECKPOINTABLE_OBJECT_GRAPH" })
    else {
      throw .unsupported(
        path: graph.path, reason: "its variables have no object graph: TensorFlow 2 makes one")
    }
    let (shard, range) = try bundle.string(entry)
    var names: [String: String] = [:]
    var node = 0
    // TrackableObjectGraph.nodes
    try ProtobufMessage.forEach([1], in: shard, range) { (object) throws(CheckpointError) in
      // TrackableObject.attributes
      try ProtobufMessage.forEach([2], in: shard, object) { (attribute) throws(CheckpointError) in
        let key = try ProtobufMessage.string(3, in: shard, attribute)
        let fullName = try ProtobufMessage.string(2, in: shard, attribute)
        let name = fullName.isEmpty ? graph.variableNames[node] ?? "" : fullName
        if let other = graph.variableNames[node], other != name {
          throw ByteReader(shard, attribute).malformed(
            "the variable \(key) is \"\(name)\" here and \"\(other)\" in saved_model.pb")
        }
        names[key] = name
      }
      node += 1
    }
    return names
  }

  private static func tensors(
    _ bundle: TensorBundle, _ names: [String: String]
  ) throws(CheckpointError) -> ([String: Tensor], heads: Int?) {
    var tensors: [String: Tensor] = [:]
    var heads: Int?
    for entry in bundle.entries {
      guard let name = names[entry.name], !Self.isOutsideEncoder(name) else { continue }
      let variable =
        TensorFlowVariable(name, shape: entry.shape)
        ?? TensorFlowVariable(name: name, shape: entry.shape)
      let tensor = try bundle.tensor(
        entry, name: variable.name, shape: variable.shape, isTransposed: variable.isTransposed)
      guard tensors.updateValue(tensor, forKey: variable.name) == nil else {
        throw .malformed(
          path: tensor.path, tensor: name, offset: entry.data.lowerBound,
          reason: "two variables are \(variable.name)")
      }
      if name == "transformer/layer_0/self_attention/query/kernel", entry.shape.count == 3 {
        heads = entry.shape[1]
      }
    }
    return (tensors, heads)
  }

  /// The masked language model's head, in exports that have one; `do_lower_case` and counters.
  private static func isOutsideEncoder(_ name: String) -> Bool {
    name.hasPrefix("cls/") || ["Variable", "do_lower_case", "save_counter", ""].contains(name)
  }

  private static func lowercases(_ bundle: TensorBundle) throws(CheckpointError) -> Bool? {
    let key = "do_lower_case/.ATTRIBUTES/VARIABLE_VALUE"
    guard let entry = bundle.entries.first(where: { $0.name == key }) else { return nil }
    return try bundle.boolean(entry)
  }

  private static func configuration(
    _ tensors: [String: Tensor], _ heads: Int?, _ graph: SavedModelGraph
  ) throws(CheckpointError) -> ModelConfiguration {
    func rows(_ name: String) throws(CheckpointError) -> Int {
      guard let shape = tensors[name]?.shape, shape.count == 2 else {
        throw .unsupported(
          path: graph.path, reason: "is no BERT encoder as TF Hub has them: it has no \(name)")
      }
      return shape[0]
    }
    let words = try rows("embeddings.word_embeddings.weight")
    guard let heads else {
      throw .unsupported(
        path: graph.path,
        reason: "transformer/layer_0/self_attention/query/kernel must be there as [H, A, H / A]")
    }
    let layer = "encoder.layer."
    let blocks = Set(
      tensors.keys.filter { $0.hasPrefix(layer) }
        .compactMap { $0.dropFirst(layer.count).split(separator: ".").first })
    var configuration = ModelConfiguration(
      vocabularySize: words, hiddenSize: try rows("\(layer)0.output.dense.weight"),
      blockCount: blocks.count, headCount: heads,
      intermediateSize: try rows("\(layer)0.intermediate.dense.weight"))
    configuration.positionCount = try rows("embeddings.position_embeddings.weight")
    configuration.typeCount = try rows("embeddings.token_type_embeddings.weight")
    configuration.activation = try graph.activation()
    configuration.layerNormEpsilon = try graph.layerNormEpsilon()
    try check(configuration, graph)
    return configuration
  }

  private static func check(
    _ configuration: ModelConfiguration, _ graph: SavedModelGraph
  ) throws(CheckpointError) {
    typealias Limits = ModelConfiguration.Limits
    let sizes = [
      ("vocabulary", configuration.vocabularySize, Limits.vocabularySize),
      ("hidden size", configuration.hiddenSize, Limits.hiddenSize),
      ("number of blocks", configuration.blockCount, Limits.blockCount),
      ("number of heads", configuration.headCount, Limits.headCount),
      ("feed-forward size", configuration.intermediateSize, Limits.intermediateSize),
      ("number of positions", configuration.positionCount, Limits.positionCount),
      ("number of token types", configuration.typeCount, Limits.typeCount),
    ]
    for (name, value, limits) in sizes where !limits.contains(value) {
      throw .unsupported(
        path: graph.path,
        reason: "the \(name) is \(value), must be \(limits.lowerBound) to \(limits.upperBound)")
    }
    guard configuration.hiddenSize % configuration.headCount == 0 else {
      throw .unsupported(
        path: graph.path,
        reason: "\(configuration.headCount) heads do not divide \(configuration.hiddenSize)")
    }
  }
}
