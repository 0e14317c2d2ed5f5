import JSON

extension HuggingFaceFamily {
  /// BERT with rotary positions and gated feed-forward layers: Alibaba's GTE, in transformers' names, or
  /// in those of the models' own code, whose type is `new`.
  ///
  /// Source: transformers `models/gte`, `conversion_mapping.py`; Alibaba-NLP/new-impl.
  static let gte = HuggingFaceFamily(
    modelTypes: ["gte", "new"], prefixes: ["gte.", "new."],
    blockPrefixes: [("layers.", "."), ("encoder.layer.", ".")],
    blockLayers: rotaryBlockLayers.merging(
      [
        "attention.o_proj": TensorNames.Block.attentionOutput,
        "attn_ln": TensorNames.Block.attentionOutputNorm, "mlp_ln": TensorNames.Block.outputNorm,
      ]) { $1 },
    fusedBlockLayers: [
      "attention.qkv_proj": TensorNames.Block.queryKeyValue,
      "mlp.up_gate_proj": [TensorNames.Block.intermediate, TensorNames.Block.gate],
    ],
    hasTypes: false,
    ownKeys: [
      "position_embedding_type": .only([.string("rope")], toDo: "only \"rope\" is supported"),
      "layer_norm_type": .only([.string("layer_norm")], toDo: "only \"layer_norm\" is supported"),
      "logn_attention_scale": ConfigurationKeys.onlyFalse,
    ],
    bringsCode: true,
    maskedLM: MaskedLMLayout(
      dense: "lm_head.dense", norm: "lm_head.norm", decoder: "lm_head.decoder",
      activation: .geluErf)
  ) { configuration, file throws(CheckpointError) in
    configuration.hasPositionTable = false
    configuration.isGated = true
    configuration.biases = [.attention, .output, .norms]
    let isOwn = try file.string("model_type") == "new"
    if file["max_position_embeddings"] == .null {
      configuration.positionCount = isOwn ? 2048 : 8192
    }
    // Without a table types change nothing.
    let types = try file.integer("type_vocab_size", in: 0...1024) ?? 1
    configuration.typeCount = types > 0 ? types : 2
    configuration.hasTypeTable = types > 0
    try file.requireHeadSize(configuration)
    guard isOwn, let scaling = try file.object("rope_scaling") else {
      return configuration.setRotary(try file.rotary(default: isOwn ? 10_000 : 160_000))
    }
    var rotary = RotaryEmbedding(
      theta: try file.number("rope_theta", in: RotaryEmbedding.thetas) ?? 10_000)
    guard try scaling.string("type") == "ntk", scaling["mixed_b"] == .null,
      let factor = try scaling.number("factor", in: RotaryEmbedding.scalings)
    else {
      throw file.invalid("rope_scaling", "must have the type \"ntk\" with a factor, and no mixed_b")
    }
    rotary.scaling = factor
    configuration.setRotary(rotary)
  }
}
