import JSON

extension HuggingFaceFamily {
  /// BERT whose attention reads distances in place of positions (disentangled attention).
  ///
  /// Source: transformers `models/deberta_v2`.
  static let deBERTa = HuggingFaceFamily(
    modelTypes: ["deberta-v2"], prefixes: ["deberta."],
    blockLayers: [
      "attention.self.query_proj": TensorNames.Block.queryKeyValue[0],
      "attention.self.key_proj": TensorNames.Block.queryKeyValue[1],
      "attention.self.value_proj": TensorNames.Block.queryKeyValue[2],
      "attention.self.pos_key_proj": TensorNames.Block.relativeKey,
      "attention.self.pos_query_proj": TensorNames.Block.relativeQuery,
    ],
    layers: [
      "embeddings.embed_proj": TensorNames.projection,
      "encoder.rel_embeddings": TensorNames.relativeTable,
      "encoder.LayerNorm": TensorNames.relativeNorm,
      "encoder.conv.conv": TensorNames.convolution,
      "encoder.conv.LayerNorm": TensorNames.convolutionNorm,
      // The head's own.
      "pooler.dense": "context_pooler",
    ],
    hasTypes: false, dropsUnusedPositions: true,
    ownKeys: [
      "norm_rel_ebd": .only(
        [.string("layer_norm"), .string("none")],
        toDo: "only \"layer_norm\" and \"none\" are supported")
    ],
    textHead: HeadLayout(
      input: .firstToken,
      layers: [.init(name: "pooler.dense", activation: .gelu), .init(name: "classifier")],
      activationKey: "pooler_hidden_act"),
    maskedLM: bert.maskedLM,
    nonLegacyMaskedLM: MaskedLMLayout(
      dense: "lm_predictions.lm_head.dense", norm: "lm_predictions.lm_head.LayerNorm",
      decoder: nil, sharedBias: "lm_predictions.lm_head.bias")
  ) { configuration, file throws(CheckpointError) in
    configuration.paddingAttendsUniformly = true
    if file["layer_norm_eps"] == .null { configuration.layerNormEpsilon = 1e-7 }
    configuration.hasPositionTable = try file.boolean("position_biased_input") ?? true
    let types = try file.integer("type_vocab_size", in: 0...1024) ?? 0
    // Without a table types change nothing.
    configuration.typeCount = types > 0 ? types : 2
    configuration.hasTypeTable = types > 0
    let hidden = configuration.hiddenSize
    let size =
      try file.integer("embedding_size", in: ModelConfiguration.Limits.hiddenSize) ?? hidden
    if size != hidden { (configuration.projectedSize, configuration.projectsFirst) = (size, true) }
    for (key, value) in [
      ("attention_head_size", configuration.headSize), ("pooler_hidden_size", hidden),
    ] {
      guard try file.integer(key, in: 1...(1 << 20)) ?? value == value else {
        throw file.invalid(key, "must be \(value), as the other sizes have it")
      }
    }
    configuration.convolution = try file.convolution(hiddenSize: hidden)
    let kinds = try file.positionKinds()
    // transformers counts pos_att_type even where relative_attention is false.
    configuration.scoreTerms = 1 + kinds.count
    guard try file.boolean("relative_attention") ?? false else { return }
    configuration.disentangled = try file.disentangled(configuration, kinds)
  }
}

extension JSONFile {
  fileprivate func convolution(
    hiddenSize: Int
  ) throws(CheckpointError) -> ModelConfiguration.Convolution? {
    let limit = ModelConfiguration.Limits.convolutionInputs / hiddenSize
    guard let size = try integer("conv_kernel_size", in: 0...limit), size > 0 else { return nil }
    guard size % 2 == 1 else {
      throw invalid(
        "conv_kernel_size", "must be odd: an even size gives one token fewer than the text has")
    }
    guard try integer("conv_groups", in: 1...hiddenSize) ?? 1 == 1 else {
      throw invalid("conv_groups", "must be 1: grouped convolution is not supported")
    }
    let isTanh = try string("conv_act") ?? "tanh" == "tanh"
    return .init(size: size, activation: isTanh ? nil : try activation("conv_act", or: ["tanh"]))
  }

  /// `pos_att_type`: a list, or names with bars between them.
  fileprivate func positionKinds() throws(CheckpointError) -> Set<String> {
    var names: [String] = []
    switch self["pos_att_type"] {
    case .string(let text):
      names = text.lowercased().split(separator: "|").map { name in
        var name = name.drop(while: \.isWhitespace)
        while name.last?.isWhitespace == true { name.removeLast() }
        return String(name)
      }
    default: names = try strings("pos_att_type") ?? []
    }
    guard names.allSatisfy(["c2p", "p2c"].contains) else {
      throw invalid("pos_att_type", "must have no others than \"c2p\" and \"p2c\"")
    }
    return Set(names)
  }

  fileprivate func disentangled(
    _ configuration: ModelConfiguration, _ kinds: Set<String>
  ) throws(CheckpointError) -> DisentangledAttention {
    guard !kinds.isEmpty else {
      throw invalid(
        "pos_att_type", "must have \"c2p\" or \"p2c\" with relative_attention, or set that to false"
      )
    }
    // -1 means not set.
    let distances = -1...ModelConfiguration.Limits.distance
    var maxDistance = try integer("max_relative_positions", in: distances) ?? -1
    if maxDistance < 1 { maxDistance = configuration.positionCount }
    let buckets = try integer("position_buckets", in: distances) ?? -1
    let bucketCount = buckets > 0 ? buckets : maxDistance
    guard bucketCount <= ModelConfiguration.Limits.distance else {
      throw invalid(
        "max_relative_positions",
        "must be 1 to \(ModelConfiguration.Limits.distance): without it the table has a row for each of "
          + "max_position_embeddings, \(maxDistance)")
    }
    var result = DisentangledAttention(
      hasKeys: kinds.contains("c2p"), hasQueries: kinds.contains("p2c"), bucketCount: bucketCount,
      hasNorm: try string("norm_rel_ebd") == "layer_norm",
      sharesLayers: try boolean("share_att_key") ?? false)
    guard buckets > 0 else { return result }
    // Farther ones are logarithms between them.
    guard buckets > 1,
      maxDistance - 1 > buckets / 2 || configuration.positionCount - 1 <= buckets / 2
    else {
      throw invalid(
        "position_buckets",
        "must be 2 to \(max(2, 2 * maxDistance - 3)) where max_relative_positions, or else "
          + "max_position_embeddings, is \(maxDistance)")
    }
    if configuration.positionCount - 1 > buckets / 2 { result.maxDistance = maxDistance }
    return result
  }
}
