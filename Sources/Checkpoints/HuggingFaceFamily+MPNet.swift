extension HuggingFaceFamily {
  /// BERT with RoBERTa's positions, no token types, and a bias on attention's scores by distance.
  ///
  /// Source: transformers `models/mpnet`.
  static let mpnet = HuggingFaceFamily(
    modelTypes: ["mpnet"], prefixes: ["mpnet."],
    blockLayers: [
      "attention.attn.q": "attention.self.query", "attention.attn.k": "attention.self.key",
      "attention.attn.v": "attention.self.value", "attention.attn.o": "attention.output.dense",
      "attention.LayerNorm": "attention.output.LayerNorm",
    ],
    hasTypes: false, textHead: .firstToken(.tanh), maskedLM: .lmHead
  ) { configuration, file throws(CheckpointError) in
    // Whatever pad_token_id says.
    try configuration.countPositions(afterPadding: 1, file)
    let key = "relative_attention_num_buckets"
    let count = try file.integer(key, in: ModelConfiguration.Limits.bucketCount)
    let bias = RelativeBias(bucketCount: count ?? RelativeBias.usedCount)
    guard bias.bucketCount >= RelativeBias.usedCount else {
      throw file.invalid(
        key,
        "must be \(RelativeBias.usedCount) or more: transformers uses so many buckets whatever it says"
      )
    }
    configuration.relativeBias = bias
  }
}
