extension HuggingFaceFamily {
  /// BERT without token types and pooler.
  ///
  /// Source: transformers `models/distilbert`.
  static let distilBERT = HuggingFaceFamily(
    modelTypes: ["distilbert"], prefixes: ["distilbert."],
    // transformers maps some of BERT's names onto DistilBERT's own, and takes them if both are there.
    keys: [
      "hidden_size": ["hidden_size", "dim"],
      "num_hidden_layers": ["num_hidden_layers", "n_layers"],
      "num_attention_heads": ["num_attention_heads", "n_heads"],
      "intermediate_size": ["hidden_dim"], "hidden_act": ["activation"],
    ],
    blockPrefixes: [("transformer.layer.", ".")],
    blockLayers: [
      "attention.q_lin": "attention.self.query", "attention.k_lin": "attention.self.key",
      "attention.v_lin": "attention.self.value", "attention.out_lin": "attention.output.dense",
      "sa_layer_norm": "attention.output.LayerNorm", "ffn.lin1": "intermediate.dense",
      "ffn.lin2": "output.dense", "output_layer_norm": "output.LayerNorm",
    ],
    hasTypes: false,
    textHead: HeadLayout(
      input: .firstToken,
      layers: [.init(name: "pre_classifier", activation: .relu), .init(name: "classifier")]),
    maskedLM: MaskedLMLayout(
      dense: "vocab_transform", norm: "vocab_layer_norm", decoder: "vocab_projector")
  ) { configuration, _ throws(CheckpointError) in
    // Fixed.
    configuration.layerNormEpsilon = 1e-12
  }
}
