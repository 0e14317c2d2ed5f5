import JSON

extension HuggingFaceFamily {
  /// A pre-norm encoder with root mean square norms, rotary positions of neighbouring columns, layers gated
  /// by SiLU, and no biases.
  ///
  /// Source: chandar-lab/NeoBERT, `model.py`, `rotary.py`.
  static let neoBERT = HuggingFaceFamily(
    modelTypes: ["neobert"], prefixes: ["model."],
    keys: [
      "max_position_embeddings": ["max_position_embeddings", "max_length"],
      "layer_norm_eps": ["norm_eps"],
    ],
    blockPrefixes: [("transformer_encoder.", ".")],
    blockLayers: [
      "wo": TensorNames.Block.attentionOutput, "attention_norm": TensorNames.Block.attentionNorm,
      "ffn.w1": TensorNames.Block.gate, "ffn.w2": TensorNames.Block.intermediate,
      "ffn.w3": TensorNames.Block.output, "ffn_norm": TensorNames.Block.intermediateNorm,
    ],
    fusedBlockLayers: [
      "qkv": TensorNames.Block.queryKeyValue,
      "ffn.w12": [TensorNames.Block.gate, TensorNames.Block.intermediate],
    ],
    interleavesHeads: true,
    layers: [
      "encoder": "embeddings.word_embeddings", "layer_norm": TensorNames.finalNorm,
      // Of a model without rotary positions.
      "positional_embedding": "embeddings.position_embeddings",
    ],
    hasTypes: false, hasActivationKey: false,
    ownKeys: [
      "max_length": .honoured,
      "hidden_act": .only(
        [.string("SwiGLU"), .string("swiglu")], toDo: "only \"SwiGLU\" is supported"),
      "rope": .only([.boolean(true)], toDo: "only true is supported"),
      "rms_norm": .only([.boolean(true)], toDo: "only true is supported"),
      "ngpt": ConfigurationKeys.onlyFalse,
      "rope_theta": .only([10_000, .double(10_000)], toDo: "NeoBERT's code has 10000"),
      "rope_scaling": .only([], toDo: "scaled rotary positions are not supported"),
      "rope_parameters": .only([], toDo: "NeoBERT's code has the base 10000, unscaled"),
    ],
    bringsCode: true,
    textHead: HeadLayout(
      input: .firstToken,
      layers: [.init(name: "dense", activation: .tanh), .init(name: "classifier")]),
    tokenHead: nil,
    maskedLM: MaskedLMLayout(classSuffix: "LMHead", decoder: "decoder", canTie: false)
  ) { configuration, file throws(CheckpointError) in
    configuration.isPreNorm = true
    configuration.isRootMeanSquareNorm = true
    configuration.isGated = true
    configuration.activation = .silu
    configuration.hasPositionTable = false
    configuration.hasEmbeddingNorm = false
    configuration.biases = []
    if file["norm_eps"] == .null { configuration.layerNormEpsilon = 1e-6 }
    // As many weights as without a gate: two thirds of it, up to a multiple of 8.
    guard configuration.intermediateSize > 1 else {
      throw file.invalid("intermediate_size", "must be 2 or more: the layers have two thirds of it")
    }
    configuration.intermediateSize = (2 * configuration.intermediateSize / 3 + 7) / 8 * 8
    let positions = ModelConfiguration.Limits.positionCount
    let length = try file.integer("max_length", in: positions) ?? 1024
    guard try file.integer("max_position_embeddings", in: positions) ?? length == length else {
      throw file.invalid(
        "max_position_embeddings", "must be max_length, \(length), or be taken out")
    }
    configuration.positionCount = length
    let size = configuration.headSize
    guard try file.integer("dim_head", in: 1...(1 << 20)) ?? size == size else {
      throw file.invalid("dim_head", "must be hidden_size / num_attention_heads, \(size)")
    }
    configuration.setRotary(RotaryEmbedding(theta: 10_000))
  }
}

extension ModelConfiguration {
  /// The rows of queries (part 0), keys (1) or values (2) in a layer that has those of a head side by side.
  /// In queries and keys the first of each pair come before the second ones, as rotary kernels have them:
  /// products of queries and keys do not know the order.
  ///
  /// - Precondition: heads are of an even size.
  func fusedRows(_ part: Int) -> [Int] {
    let size = headSize
    precondition(size % 2 == 0)
    let ofHead = (0..<size).map { part == 2 ? $0 : $0 < size / 2 ? 2 * $0 : 2 * $0 - size + 1 }
    return (0..<headCount).flatMap { head in ofHead.map { (3 * head + part) * size + $0 } }
  }
}
