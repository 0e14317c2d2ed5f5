extension HuggingFaceFamily {
  /// RoBERTa, XLM-RoBERTa, CamemBERT: BERT whose positions count from after the padding token's id.
  ///
  /// Source: transformers `models/roberta`.
  static let roberta = HuggingFaceFamily(
    modelTypes: ["roberta", "xlm-roberta", "camembert"], prefixes: ["roberta."],
    textHead: .firstToken(.tanh), maskedLM: .lmHead
  ) { configuration, file throws(CheckpointError) in
    let id = try file.integer("pad_token_id", in: 0...1024) ?? 1
    try configuration.countPositions(afterPadding: id, file)
  }
}
