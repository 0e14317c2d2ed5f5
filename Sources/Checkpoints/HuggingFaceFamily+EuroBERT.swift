import JSON

extension HuggingFaceFamily {
  /// A pre-norm encoder as Llama's blocks are: root mean square norms, rotary positions, gated
  /// feed-forward layers, heads that share keys and values.
  ///
  /// Source: transformers `models/eurobert`.
  static let euroBERT = HuggingFaceFamily(
    modelTypes: ["eurobert"], prefixes: ["model."],
    keys: ["layer_norm_eps": ["rms_norm_eps"]],
    blockPrefixes: [("layers.", ".")],
    blockLayers: rotaryBlockLayers.merging(
      [
        "input_layernorm": TensorNames.Block.attentionNorm,
        "post_attention_layernorm": TensorNames.Block.intermediateNorm,
      ]) { $1 },
    layers: ["embed_tokens": "embeddings.word_embeddings", "norm": TensorNames.finalNorm],
    hasTypes: false, bringsCode: true, textHead: nil
  ) { configuration, file throws(CheckpointError) in
    configuration.isPreNorm = true
    configuration.isRootMeanSquareNorm = true
    configuration.isGated = true
    configuration.hasPositionTable = false
    configuration.hasEmbeddingNorm = false
    if file["hidden_act"] == .null { configuration.activation = .silu }
    if file["max_position_embeddings"] == .null { configuration.positionCount = 8192 }
    if file["rms_norm_eps"] == .null { configuration.layerNormEpsilon = 1e-5 }
    configuration.biases = try file.biases()
    try file.requireHeadSize(configuration)
    let heads = configuration.headCount
    let shared = try file.integer("num_key_value_heads", in: 1...heads) ?? heads
    guard heads % shared == 0 else {
      throw file.invalid("num_key_value_heads", "must divide num_attention_heads, \(heads)")
    }
    configuration.keyValueHeadCount = shared
    configuration.setRotary(try file.rotary(default: 10_000))
  }
}
