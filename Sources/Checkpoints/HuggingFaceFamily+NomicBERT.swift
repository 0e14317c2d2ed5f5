import JSON

extension HuggingFaceFamily {
  /// BERT with rotary positions, gated feed-forward layers, and no biases; in transformers' names, or in
  /// those of the models' own code.
  ///
  /// Source: transformers `models/nomic_bert`, `conversion_mapping.py`; nomic-ai/contrastors.
  static let nomicBERT = HuggingFaceFamily(
    modelTypes: ["nomic_bert"], prefixes: ["nomic_bert.", "bert."],
    keys: [
      "hidden_size": ["hidden_size", "n_embd"],
      "num_hidden_layers": ["num_hidden_layers", "n_layer"],
      "num_attention_heads": ["num_attention_heads", "n_head"],
      "intermediate_size": ["intermediate_size", "n_inner"],
      "max_position_embeddings": ["max_position_embeddings", "n_positions"],
      "layer_norm_eps": ["layer_norm_eps", "layer_norm_epsilon"],
    ],
    blockPrefixes: [("layers.", "."), ("encoder.layers.", ".")],
    blockLayers: rotaryBlockLayers.merging(
      [
        "attn.out_proj": TensorNames.Block.attentionOutput,
        "norm1": TensorNames.Block.attentionOutputNorm, "norm2": TensorNames.Block.outputNorm,
        "mlp.fc11": TensorNames.Block.intermediate, "mlp.fc12": TensorNames.Block.gate,
        "mlp.fc2": TensorNames.Block.output,
      ]) { $1 },
    fusedBlockLayers: ["attn.Wqkv": TensorNames.Block.queryKeyValue],
    layers: ["emb_ln": "embeddings.LayerNorm"],
    ownKeys: [
      "activation_function": .only([.string("swiglu")], toDo: "only \"swiglu\" is supported"),
      "prenorm": ConfigurationKeys.onlyFalse, "use_rms_norm": ConfigurationKeys.onlyFalse,
      "parallel_block": ConfigurationKeys.onlyFalse, "causal": ConfigurationKeys.onlyFalse,
      "qkv_proj_bias": ConfigurationKeys.onlyFalse, "mlp_fc1_bias": ConfigurationKeys.onlyFalse,
      "mlp_fc2_bias": ConfigurationKeys.onlyFalse,
      "rotary_emb_interleaved": ConfigurationKeys.onlyFalse,
      "scale_attn_by_inverse_layer_idx": ConfigurationKeys.onlyFalse,
      "scale_attn_weights": .only([.boolean(true)], toDo: "only true is supported"),
      "rotary_emb_fraction": .only([1, .double(1)], toDo: "only 1 is supported"),
      "rotary_emb_scale_base": .only([], toDo: "only null is supported"),
      "num_experts": .only([0], toDo: "mixtures of experts are not supported"),
    ],
    bringsCode: true,
    maskedLM: MaskedLMLayout(
      dense: "cls.predictions.transform.dense", norm: "cls.predictions.transform.layer_norm",
      decoder: "cls.predictions.decoder", sharedBias: "cls.predictions.bias")
  ) { configuration, file throws(CheckpointError) in
    configuration.hasPositionTable = false
    configuration.isGated = true
    configuration.biases = .norms
    if file["hidden_act"] == .null { configuration.activation = .silu }
    try file.requireHeadSize(configuration)
    // Only the models' own code reads it, which knows the sizes by other names.
    let isOwn = file["hidden_size"] == .null
    let base = try file.number("rotary_emb_base", in: RotaryEmbedding.thetas) ?? 1000
    let rotary = try file.rotary(default: isOwn ? base : 1000)
    guard isOwn || rotary.theta == base || file["rotary_emb_base"] == .null else {
      throw file.invalid(
        "rotary_emb_base",
        "must be rope_theta, \(rotary.theta), or be taken out: transformers reads that one")
    }
    configuration.setRotary(rotary)
    guard file["max_position_embeddings"] == .null else { return }
    if file["n_positions"] == .null { configuration.positionCount = 2048 }
    // Beyond them the angles would depend on the longest text of a batch.
    let trained = try file.integer(
      "max_trained_positions", in: ModelConfiguration.Limits.positionCount)
    if try file.number("rotary_scaling_factor", in: 0...1e6) != nil {
      configuration.positionCount = min(configuration.positionCount, trained ?? 2048)
    }
  }
}
