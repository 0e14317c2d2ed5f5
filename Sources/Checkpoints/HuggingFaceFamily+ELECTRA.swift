extension HuggingFaceFamily {
  /// BERT without a pooler, whose embeddings may have another size than its blocks.
  ///
  /// Source: transformers `models/electra`.
  static let electra = HuggingFaceFamily(
    modelTypes: ["electra"], prefixes: ["electra."], textHead: .firstToken(.gelu),
    maskedLM: MaskedLMLayout(
      dense: "generator_predictions.dense", norm: "generator_predictions.LayerNorm",
      decoder: "generator_lm_head", activation: .geluErf)
  ) { configuration, file throws(CheckpointError) in
    let size = try file.integer("embedding_size", in: ModelConfiguration.Limits.hiddenSize) ?? 128
    if size != configuration.hiddenSize { configuration.projectedSize = size }
  }
}
