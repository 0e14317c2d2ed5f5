/// The variables that an encoder's function uses: as tensors of the checkpoint, and as made-up
/// weights for its graph. Whatever else a SavedModel holds (heads, an optimizer's slots, counters)
/// is not the encoder's.
struct SavedModelVariables {
  private let path: String
  /// By canonical name.
  private(set) var tensors: [String: Tensor] = [:]
  /// Keys in the checkpoint, by the number of the object.
  let keys: [Int: String]
  private(set) var probeWeights = ProbeWeights()
  /// In the function's order.
  private(set) var captures: [GraphRun.Value] = []
  /// Those in the probe's weights, by the number of the object.
  private(set) var numbers: [Int: Int] = [:]
  private var headCount: Int?
  /// Of ALBERT, whose blocks have one set of weights.
  private let sharedBlockCount: Int?

  init(
    _ graph: SavedModelGraph, _ bundle: TensorBundle, _ signature: GraphSignature
  ) throws(CheckpointError) {
    path = graph.path
    keys = try Self.keys(graph, bundle)
    let names = signature.captures.compactMap {
      graph.objects.indices.contains($0) ? graph.objects[$0].variable : nil
    }
    sharedBlockCount =
      names.contains { $0.hasSuffix("transformer/self_attention/query/kernel") }
      ? signature.outputs.count { $0.path.hasPrefix("encoder_outputs/") } : nil
    let scaffolds = Set(names.compactMap(TensorFlowVariable.scaffoldNumber)).sorted()
    // No key is there twice, for they ascend.
    let entries = Dictionary(uniqueKeysWithValues: bundle.entries.map { ($0.name, $0) })
    for node in signature.captures {
      if let number = numbers[node] {
        captures.append(.variable(number))
        continue
      }
      guard graph.objects.indices.contains(node), let name = graph.objects[node].variable,
        let key = keys[node], let entry = entries[key]
      else {
        throw .unsupported(
          path: path,
          reason: "the encoder uses the object \(node), which is no variable of the checkpoint")
      }
      guard let variable = TensorFlowVariable(name, shape: entry.shape, scaffolds: scaffolds) else {
        throw .unsupported(
          path: path,
          reason:
            "the encoder uses the variable \"\(name)\", which is no variable of BERT, ELECTRA, "
            + "ALBERT or talking-heads BERT: other architectures are not supported")
      }
      let tensor = try bundle.tensor(
        entry, name: variable.name, shape: variable.shape, isTransposed: variable.isTransposed)
      guard tensors.updateValue(tensor, forKey: variable.name) == nil else {
        throw .malformed(
          path: tensor.path, tensor: name, offset: entry.data.lowerBound,
          reason: "two variables are \(variable.name)")
      }
      if variable.name == "encoder.layer.0.attention.self.query.weight", entry.shape.count == 3 {
        headCount = entry.shape[1]
      }
      let number = probeWeights.add(
        ProbeWeights.Variable(
          name: variable.name, shape: entry.shape, inputAxes: variable.inputAxes))
      numbers[node] = number
      captures.append(.variable(number))
    }
  }

  /// The checkpoint's own object graph has the objects of `saved_model.pb`, in the same order, and
  /// the keys of those that are variables.
  private static func keys(
    _ graph: SavedModelGraph, _ bundle: TensorBundle
  ) throws(CheckpointError) -> [Int: String] {
    guard let entry = bundle.entries.first(where: { $0.name == "_CHECKPOINTABLE_OBJECT_GRAPH" })
    else {
      throw .unsupported(
        path: graph.path, reason: "its variables have no object graph: TensorFlow 2 makes one")
    }
    let (bytes, range) = try bundle.string(entry)
    var keys: [Int: String] = [:]
    var node = 0
    // TrackableObjectGraph.nodes
    try ProtobufMessage.forEach([1], in: bytes, range) { (object) throws(CheckpointError) in
      // TrackableObject.attributes
      try ProtobufMessage.forEach([2], in: bytes, object) { (attribute) throws(CheckpointError) in
        let key = try ProtobufMessage.name(3, in: bytes, attribute)
        let name = try ProtobufMessage.name(2, in: bytes, attribute)
        guard graph.objects.indices.contains(node) else { return }
        if let other = graph.objects[node].variable, !name.isEmpty, other != name {
          throw ByteReader(bytes, attribute).malformed(
            "the variable \(key) is \"\(name)\" here and \"\(other)\" in saved_model.pb")
        }
        keys[node] = key
      }
      node += 1
    }
    return keys
  }

  /// The sizes of the encoder, by the shapes of its variables.
  func configuration() throws(CheckpointError) -> ModelConfiguration {
    func size(_ name: String, _ axis: Int = 0) throws(CheckpointError) -> Int {
      guard let shape = tensors[name]?.shape, shape.count == 2 else {
        throw .unsupported(
          path: path, reason: "is no BERT encoder as TF Hub has them: it has no \(name)")
      }
      return shape[axis]
    }
    let words = "embeddings.word_embeddings.weight"
    guard let headCount else {
      throw .unsupported(
        path: path,
        reason: "its first block has no query/kernel of the shape [H, A, H / A]")
    }
    let layer = "encoder.layer."
    let blocks = Set(
      tensors.keys.filter { $0.hasPrefix(layer) }
        .compactMap { $0.dropFirst(layer.count).split(separator: ".").first })
    guard sharedBlockCount != 0, sharedBlockCount == nil || blocks.count == 1 else {
      throw .unsupported(
        path: path,
        reason:
          "its blocks share their weights, as ALBERT's, and its map has no encoder_outputs, which "
          + "would tell how many blocks there are")
    }
    var configuration = ModelConfiguration(
      vocabularySize: try size(words), hiddenSize: try size("\(layer)0.output.dense.weight"),
      blockCount: sharedBlockCount ?? blocks.count, headCount: headCount,
      intermediateSize: try size("\(layer)0.intermediate.dense.weight"))
    if sharedBlockCount != nil {
      (configuration.blockSetCount, configuration.modelType) = (1, "albert")
    }
    configuration.isGated = tensors["\(layer)0.\(TensorNames.Block.gate).weight"] != nil
    if tensors["\(layer)0.\(TensorNames.Block.scoreMix)"] != nil {
      (configuration.mixesHeads, configuration.modelType) = (true, "talking-heads")
    }
    configuration.positionCount = try size("embeddings.position_embeddings.weight")
    configuration.typeCount = try size("embeddings.token_type_embeddings.weight")
    let width = try size(words, 1)
    // As in ELECTRA and ALBERT; that the layer is there and fits is checked with all tensors.
    if width != configuration.hiddenSize { configuration.projectedSize = width }
    try check(configuration)
    let names = TensorNames(configuration)
    _ = try Checkpoint.check(tensors, names.required, optional: [names.pooler], path)
    return configuration
  }

  private func check(_ configuration: ModelConfiguration) throws(CheckpointError) {
    typealias Limits = ModelConfiguration.Limits
    let sizes = [
      ("vocabulary", configuration.vocabularySize, Limits.vocabularySize),
      ("hidden size", configuration.hiddenSize, Limits.hiddenSize),
      ("size of the embeddings", configuration.embeddingSize, Limits.hiddenSize),
      ("number of blocks", configuration.blockCount, Limits.blockCount),
      ("number of heads", configuration.headCount, Limits.headCount),
      ("feed-forward size", configuration.intermediateSize, Limits.intermediateSize),
      ("number of positions", configuration.positionCount, Limits.positionCount),
      ("number of token types", configuration.typeCount, Limits.typeCount),
    ]
    for (name, value, limits) in sizes where !limits.contains(value) {
      throw .unsupported(
        path: path,
        reason: "the \(name) is \(value), must be \(limits.lowerBound) to \(limits.upperBound)")
    }
    guard configuration.hiddenSize % configuration.headCount == 0 else {
      throw .unsupported(
        path: path,
        reason: "\(configuration.headCount) heads do not divide \(configuration.hiddenSize)")
    }
  }
}
