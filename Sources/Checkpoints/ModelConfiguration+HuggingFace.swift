import JSON

extension ModelConfiguration {
  /// Reads Hugging Face's `config.json`. What is missing there has `BertConfig`'s default, but for
  /// the sizes, which have none.
  ///
  /// Source: transformers `models/bert/configuration_bert.py`, `activations.py`, and the same of
  /// BERT's relatives.
  static func huggingFace(_ file: JSONFile) throws(CheckpointError) -> ModelConfiguration {
    let family = try HuggingFaceFamily.named(in: file)
    try refuseOtherModels(file, family)
    func key(_ name: String) -> String { family.key(name, in: file) }
    var configuration = ModelConfiguration(
      vocabularySize: try file.requiredInteger("vocab_size", in: Limits.vocabularySize),
      hiddenSize: try file.requiredInteger(key("hidden_size"), in: Limits.hiddenSize),
      blockCount: try file.requiredInteger(key("num_hidden_layers"), in: Limits.blockCount),
      headCount: try file.requiredInteger(key("num_attention_heads"), in: Limits.headCount),
      intermediateSize: try file.requiredInteger(
        key("intermediate_size"), in: Limits.intermediateSize))
    guard configuration.hiddenSize % configuration.headCount == 0 else {
      throw file.invalid(
        key("num_attention_heads"), "must divide \(key("hidden_size")), \(configuration.hiddenSize)"
      )
    }
    if let count = try file.integer(key("max_position_embeddings"), in: Limits.positionCount) {
      configuration.positionCount = count
    }
    configuration.hasTypeTable = family.hasTypes
    if family.hasTypes, let count = try file.integer("type_vocab_size", in: Limits.typeCount) {
      configuration.typeCount = count
    }
    if let id = try file.integer("pad_token_id", in: 0...configuration.vocabularySize - 1) {
      configuration.padTokenID = id
    }
    let epsilonKey = key("layer_norm_eps")
    switch file[epsilonKey] {
    case .null: break
    case .double(let epsilon) where epsilon > 0 && epsilon < 1:
      configuration.layerNormEpsilon = epsilon
    default: throw file.invalid(epsilonKey, "must be a number between 0 and 1")
    }
    if family.hasActivationKey, let activation = try file.activation(key("hidden_act")) {
      configuration.activation = activation
    }
    if let type = try file.string("model_type") { configuration.modelType = type }
    try family.configure(&configuration, file)
    try configuration.checkRotary(file, family)
    try configuration.checkLinearBias(file, family)
    return configuration
  }

  /// Columns are rotated in pairs. The table of angles is computed, so no file's size bounds it.
  private func checkRotary(
    _ file: JSONFile, _ family: HuggingFaceFamily
  ) throws(CheckpointError) {
    guard blockAttention.contains(where: { $0.rotary != nil }) else { return }
    guard headSize % 2 == 0 else {
      throw file.invalid(
        family.key("num_attention_heads", in: file),
        "must make heads of an even size, not \(headSize)")
    }
    // Neither is above its limit: no overflow.
    guard positionCount * headSize <= Limits.rotaryTable else {
      throw file.invalid(
        family.key("max_position_embeddings", in: file),
        "must be \(Limits.rotaryTable / headSize) or less with heads of \(headSize)")
    }
  }

  /// Neither is the table of linear biases bounded by a file's size.
  private func checkLinearBias(
    _ file: JSONFile, _ family: HuggingFaceFamily
  ) throws(CheckpointError) {
    guard hasLinearBias, positionCount * headCount > Limits.linearBias else { return }
    throw file.invalid(
      family.key("max_position_embeddings", in: file),
      "must be \(Limits.linearBias / headCount) or less with \(headCount) heads")
  }

  /// Gives tokens of padding a position of their own, as RoBERTa does.
  mutating func countPositions(afterPadding id: Int, _ file: JSONFile) throws(CheckpointError) {
    padTokenID = id
    hasPaddingPosition = true
    positionCount -= id + 1
    guard Limits.positionCount ~= positionCount else {
      throw file.invalid(
        "max_position_embeddings",
        "must be \(Limits.positionCount.lowerBound) or more above the padding's id + 1, \(id + 1)")
    }
  }

  /// Refuses whatever changes the computation to something that is not plain BERT.
  private static func refuseOtherModels(
    _ file: JSONFile, _ family: HuggingFaceFamily
  ) throws(CheckpointError) {
    try file.check(.model, besides: family.ownKeys)
    if case .object(let map) = file["auto_map"], map["AutoModel"] != nil, !family.bringsCode {
      throw .unsupported(
        path: file.path,
        reason:
          "auto_map: the model brings its own code (AutoModel), which is not run; take it out "
          + "if the built-in class computes the same")
    }
  }
}
