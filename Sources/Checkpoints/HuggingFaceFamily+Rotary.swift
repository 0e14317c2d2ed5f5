import JSON

// What families with rotary positions share.

extension HuggingFaceFamily {
  /// What transformers calls the layers of a post-norm block with rotary positions.
  static let rotaryBlockLayers = [
    "self_attn.q_proj": "attention.self.query", "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.o_proj": TensorNames.Block.attentionOutput,
    "post_attention_layernorm": TensorNames.Block.attentionOutputNorm,
    "mlp.gate_proj": TensorNames.Block.gate, "mlp.up_proj": TensorNames.Block.intermediate,
    "mlp.down_proj": TensorNames.Block.output,
    "post_mlp_layernorm": TensorNames.Block.outputNorm,
  ]
}

extension ModelConfiguration {
  /// Gives all blocks the same rotary embedding.
  mutating func setRotary(_ rotary: RotaryEmbedding) {
    blockAttention = Array(repeating: BlockAttention(rotary: rotary), count: blockCount)
  }
}

extension JSONFile {
  /// `rope_parameters`, as transformers 5 writes them, or `rope_theta`, as earlier ones did.
  ///
  /// - Parameters:
  ///   - kind: the member of `rope_parameters` that has them, where kinds of blocks have their own.
  ///   - topLevelKey: in place of `rope_theta`, as earlier versions had it.
  func rotary(
    kind: String? = nil, topLevelKey: String = "rope_theta", default theta: Double
  ) throws(CheckpointError) -> RotaryEmbedding {
    let old = try number(topLevelKey, in: RotaryEmbedding.thetas)
    guard self["rope_scaling"] == .null else {
      throw invalid("rope_scaling", "must be null: scaled rotary positions are not supported")
    }
    guard var parameters = try object("rope_parameters") else {
      return RotaryEmbedding(theta: old ?? theta)
    }
    if let kind {
      guard Set(parameters.keys).isSubset(of: ["full_attention", "sliding_attention"]) else {
        throw invalid(
          "rope_parameters", "must have only the members full_attention and sliding_attention")
      }
      guard let own = try parameters.object(kind) else {
        return RotaryEmbedding(theta: old ?? theta)
      }
      parameters = own
    }
    let keys = parameters.keys.filter { parameters[$0] != .null }
    let type = try parameters.string("rope_type") ?? "default"
    guard type == "default", Set(keys).isSubset(of: ["rope_type", "rope_theta"]) else {
      throw invalid(
        "rope_parameters",
        "must have rope_theta and the rope_type \"default\" alone: scaled rotary positions are not "
          + "supported")
    }
    let found = try parameters.number("rope_theta", in: RotaryEmbedding.thetas)
    return RotaryEmbedding(theta: found ?? old ?? theta)
  }

  /// Those of attention and of feed-forward layers, none unless the file says so.
  func biases() throws(CheckpointError) -> ModelConfiguration.Biases {
    var biases: ModelConfiguration.Biases = []
    if try boolean("attention_bias") ?? false { biases.insert(.attention) }
    if try boolean("mlp_bias") ?? false { biases.insert(.feedForward) }
    return biases
  }

  /// Refuses heads of another size than H / A.
  func requireHeadSize(_ configuration: ModelConfiguration) throws(CheckpointError) {
    let size = configuration.headSize
    guard try integer("head_dim", in: 1...size) ?? size == size else {
      throw invalid("head_dim", "must be hidden_size / num_attention_heads, \(size)")
    }
  }
}
