import JSON

extension HuggingFaceFamily {
  /// BERT whose attention's scores fall with the distance of tokens (ALiBi) in place of positions, with
  /// gated feed-forward layers; also with norms of queries and keys and one more after attention's, which
  /// only the names of tensors tell.
  ///
  /// Source: jinaai/jina-bert-implementation, jinaai/jina-bert-v2-qk-post-norm.
  static let jinaBERT = HuggingFaceFamily(
    modelTypes: ["bert"], classPrefix: "JinaBert", prefixes: ["bert."],
    blockLayers: [
      "mlp.wo": TensorNames.Block.output, "mlp.layernorm": TensorNames.Block.outputNorm,
      "attention.self.layer_norm_q": TensorNames.Block.queryNorm,
      "attention.self.layer_norm_k": TensorNames.Block.keyNorm,
      "layer_norm_1": TensorNames.Block.secondAttentionNorm,
      "layer_norm_2": TensorNames.Block.outputNorm,
      "mlp.up_layer": TensorNames.Block.intermediate, "mlp.down_layer": TensorNames.Block.output,
    ],
    fusedBlockLayers: [
      "mlp.gated_layers": [TensorNames.Block.gate, TensorNames.Block.intermediate],
      "mlp.up_gated_layer": [TensorNames.Block.intermediate, TensorNames.Block.gate],
    ],
    hasActivationKey: false,
    ownKeys: [
      "position_embedding_type": .honoured,
      "emb_pooler": .only(
        [.string("mean")],
        toDo: "only \"mean\" is supported; modules.json says how texts are pooled"),
    ],
    bringsCode: true, maskedLM: bertHead
  ) { configuration, file throws(CheckpointError) in
    configuration.modelType = "bert (JinaBert)"
    guard try file.string("position_embedding_type") == "alibi" else {
      throw file.invalid(
        "position_embedding_type",
        "must be \"alibi\" with JinaBert's classes: no other positions are supported there")
    }
    configuration.hasPositionTable = false
    configuration.hasLinearBias = true
    configuration.biases = [.attention, .output, .norms]
    configuration.isGated = true
    switch try file.string("feed_forward_type") {
    case "geglu": configuration.activation = .geluErf
    case "reglu": configuration.activation = .relu
    case "original":
      configuration.isGated = false
      configuration.activation = try file.activation("hidden_act") ?? .geluErf
      configuration.biases = .all
    default:
      // JinaBert's two implementations differ in what it is by default.
      throw file.invalid("feed_forward_type", "must be \"geglu\", \"reglu\" or \"original\"")
    }
  } configureFromTensors: { configuration, hasTensor in
    let norm = "\(TensorNames.block(0))\(TensorNames.Block.queryNorm).weight"
    guard hasTensor(norm) else { return }
    configuration.normsQueriesAndKeys = true
    configuration.hasSecondAttentionResidual = true
    configuration.biases.remove(.intermediate)
  }

  /// BERT's, whose function `hidden_act` names.
  private static var bertHead: MaskedLMLayout? {
    var layout = bert.maskedLM
    layout?.activation = .geluErf
    layout?.activationKey = "hidden_act"
    return layout
  }
}
