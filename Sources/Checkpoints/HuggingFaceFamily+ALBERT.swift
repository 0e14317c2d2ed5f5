import JSON

extension HuggingFaceFamily {
  /// BERT whose blocks share their weights, and whose embeddings have a size of their own.
  ///
  /// Source: transformers `models/albert`.
  static let albert = HuggingFaceFamily(
    modelTypes: ["albert"], prefixes: ["albert."],
    blockPrefixes: [("encoder.albert_layer_groups.", ".albert_layers.0.")],
    blockLayers: [
      "attention.query": "attention.self.query", "attention.key": "attention.self.key",
      "attention.value": "attention.self.value", "attention.dense": "attention.output.dense",
      "attention.LayerNorm": "attention.output.LayerNorm", "ffn": "intermediate.dense",
      "ffn_output": "output.dense", "full_layer_layer_norm": "output.LayerNorm",
    ],
    layers: [
      "encoder.embedding_hidden_mapping_in": TensorNames.projection, "pooler": "pooler.dense",
    ],
    maskedLM: MaskedLMLayout(
      dense: "predictions.dense", norm: "predictions.LayerNorm", decoder: "predictions.decoder",
      sharedBias: "predictions.bias")
  ) { configuration, file throws(CheckpointError) in
    let sizes = ModelConfiguration.Limits.hiddenSize
    configuration.projectedSize = try file.integer("embedding_size", in: sizes) ?? 128
    if file["hidden_act"] == .null { configuration.activation = .geluTanh }
    let blocks = configuration.blockCount
    let groups = try file.integer("num_hidden_groups", in: 1...blocks) ?? 1
    guard blocks % groups == 0 else {
      throw file.invalid("num_hidden_groups", "must divide num_hidden_layers, \(blocks)")
    }
    configuration.blockSetCount = groups
    guard try file.integer("inner_group_num", in: 1...1024) ?? 1 == 1 else {
      throw file.invalid("inner_group_num", "must be 1: several layers a group are not supported")
    }
  }
}
