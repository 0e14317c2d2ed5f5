import JSON

extension HuggingFaceFamily {
  /// A pre-norm encoder with rotary positions, gated feed-forward layers, and windows in most blocks.
  ///
  /// Source: transformers `models/modernbert`.
  static let modernBERT = HuggingFaceFamily(
    modelTypes: ["modernbert"], prefixes: ["model."],
    keys: ["hidden_act": ["hidden_activation"], "layer_norm_eps": ["norm_eps"]],
    blockPrefixes: [("layers.", ".")],
    blockLayers: [
      "attn_norm": TensorNames.Block.attentionNorm, "attn.Wo": TensorNames.Block.attentionOutput,
      "mlp_norm": TensorNames.Block.intermediateNorm, "mlp.Wo": TensorNames.Block.output,
    ],
    fusedBlockLayers: [
      "attn.Wqkv": TensorNames.Block.queryKeyValue,
      "mlp.Wi": [TensorNames.Block.gate, TensorNames.Block.intermediate],
    ],
    layers: [
      "embeddings.tok_embeddings": "embeddings.word_embeddings",
      "embeddings.norm": "embeddings.LayerNorm", "final_norm": TensorNames.finalNorm,
    ],
    hasTypes: false,
    ownKeys: [
      "position_embedding_type": .withoutEffect,
      "classifier_activation": .only([.string("gelu")], toDo: "only \"gelu\" is supported"),
    ],
    textHead: head(of: .firstToken), tokenHead: head(of: .eachToken),
    maskedLM: MaskedLMLayout(
      dense: "head.dense", norm: "head.norm", decoder: "decoder", activation: .geluErf,
      hasOptionalBiases: true)
  ) { configuration, file throws(CheckpointError) in
    configuration.isPreNorm = true
    configuration.hasFirstNorm = false
    configuration.isGated = true
    configuration.hasPositionTable = false
    if file["max_position_embeddings"] == .null { configuration.positionCount = 8192 }
    if file["norm_eps"] == .null { configuration.layerNormEpsilon = 1e-5 }
    configuration.biases = try file.biases()
    if try file.boolean("norm_bias") ?? false { configuration.biases.insert(.norms) }

    // On each side of the token that attends. transformers takes the second key if both are there.
    let windows = ModelConfiguration.Limits.window
    let half = try file.integer("local_attention", in: windows).map { $0 / 2 } ?? 64
    let reach = try file.integer("sliding_window", in: 0...windows.upperBound) ?? half
    let all = ModelConfiguration.BlockAttention(
      rotary: try file.rotary(
        kind: "full_attention", topLevelKey: "global_rope_theta", default: 160_000))
    let near = ModelConfiguration.BlockAttention(
      rotary: try file.rotary(
        kind: "sliding_attention", topLevelKey: "local_rope_theta", default: 10_000),
      window: reach + 1)
    let kinds = ["full_attention": all, "sliding_attention": near]
    let count = configuration.blockCount
    switch file["layer_types"] {
    case .null:
      let step = try file.integer("global_attn_every_n_layers", in: 1...(1 << 20)) ?? 3
      configuration.blockAttention = (0..<count).map { $0 % step == 0 ? all : near }
    case .array(let names):
      configuration.blockAttention = names.compactMap { name in
        if case .string(let text) = name { kinds[text] } else { nil }
      }
      guard names.count == count, configuration.blockAttention.count == count else {
        throw file.invalid(
          "layer_types", "must be \(count) times \"full_attention\" or \"sliding_attention\"")
      }
    default: throw file.invalid("layer_types", "must be a list of kinds of attention")
    }
  }

  private static func head(of input: ClassificationHead.Input) -> HeadLayout {
    HeadLayout(
      input: input,
      layers: [
        .init(name: "head.dense", activation: .gelu, norm: "head.norm"), .init(name: "classifier"),
      ], hasOptionalBiases: true, readsPooling: true)
  }
}
