import JSON

/// A family of encoders in Hugging Face's folders: how its files name what a `ModelConfiguration`
/// and `TensorNames` say, and what it fills in there. One file each.
struct HuggingFaceFamily: Sendable {
  /// As `model_type` has them.
  var modelTypes: [String]
  /// What the names of its classes begin with, where another family has the same `model_type`.
  var classPrefix: String?
  /// What the encoder's tensors are called below, in a model with a head: one of these.
  var prefixes: [String]
  /// Keys of `config.json` for one of BERT's: the first that the file has counts.
  var keys: [String: [String]] = [:]
  /// What a block's tensors are called below, up to its number and after it: one of these.
  var blockPrefixes = [("encoder.layer.", ".")]
  /// Canonical names of a block's layers, by the family's.
  var blockLayers: [String: String] = [:]
  /// Those of layers that are stored as one, from its first output on, in equal parts.
  var fusedBlockLayers: [String: [String]] = [:]
  /// Whether a fused layer of queries, keys and values has those of a head side by side, and rotary
  /// positions turn neighbouring rows of it as a pair.
  var interleavesHeads = false
  /// Canonical names of other layers, by the family's.
  var layers: [String: String] = [:]
  /// Whether `type_vocab_size` says how many types tokens have; else `configure` does, or none have any.
  var hasTypes = true
  /// Whether `hidden_act` names the feed-forward layer's function; else `configure` says which it is.
  var hasActivationKey = true
  /// Whether a stored table of positions, or norm of distances, is ignored where the configuration uses none.
  var dropsUnusedPositions = false
  /// What keys of `config.json` may say, where that differs from `ConfigurationKeys.model`.
  var ownKeys: [String: ConfigurationKeys.Rule] = [:]
  /// Whether folders bring code of their own (`auto_map`) that computes the same as transformers.
  var bringsCode = false
  /// The heads of the classes for the classification of texts and of tokens; nil if not supported.
  var textHead: HeadLayout? = .pooled
  var tokenHead: HeadLayout? = .tokens
  /// The head of the class for masked language models; nil if it is not supported.
  var maskedLM: MaskedLMLayout?
  /// The same where `legacy` is false; nil where the key says nothing.
  var nonLegacyMaskedLM: MaskedLMLayout?
  /// Fills in what BERT's keys do not tell.
  var configure: @Sendable (inout ModelConfiguration, JSONFile) throws(CheckpointError) -> Void = {
    _, _ in
  }

  /// Fills in what no key tells, but the names of the encoder's tensors.
  var configureFromTensors:
    @Sendable (inout ModelConfiguration, _ hasTensor: (String) -> Bool) -> Void = {
      _, _ in
    }

  static let all: [HuggingFaceFamily] = [
    .bert, .distilBERT, .roberta, .mpnet, .electra, .albert, .modernBERT, .nomicBERT, .gte,
    .euroBERT, .deBERTa, .jinaBERT, .neoBERT,
  ]

  static let bert = HuggingFaceFamily(
    modelTypes: ["bert"], prefixes: ["bert."],
    maskedLM: MaskedLMLayout(
      dense: "cls.predictions.transform.dense", norm: "cls.predictions.transform.LayerNorm",
      decoder: "cls.predictions.decoder", sharedBias: "cls.predictions.bias"))

  /// The family that a `config.json` names.
  ///
  /// Configurations older than transformers 2.9 do not say it: then it is BERT, unless the class is
  /// another's.
  static func named(in file: JSONFile) throws(CheckpointError) -> HuggingFaceFamily {
    let known = all.filter { $0.classPrefix == nil }.flatMap(\.modelTypes).joined(separator: ", ")
    if let type = try file.string("model_type") {
      let families = all.filter { $0.modelTypes.contains(type) }
      let byClass = families.first { $0.classPrefix.map(file.hasClass(prefixed:)) ?? false }
      if let family = byClass ?? families.first(where: { $0.classPrefix == nil }) { return family }
      let reason = reasons[type].map { " (\($0))" } ?? ""
      throw .unsupported(
        path: file.path,
        reason: "model_type \"\(type.prefix(64))\" is not supported\(reason); these are: \(known)")
    }
    for name in file.architectures where !name.hasPrefix("Bert") {
      throw .unsupported(
        path: file.path,
        reason: "has no model_type, and its architectures are \"\(name.prefix(64))\": add "
          + "\"model_type\", which is one of \(known)")
    }
    return bert
  }

  private static let reasons = [
    "deberta": "DeBERTa v1's attention differs; only deberta-v2 is computed"
  ]

  /// The key in `config.json` for one of BERT's.
  func key(_ name: String, in file: JSONFile) -> String {
    guard let candidates = keys[name] else { return name }
    return candidates.first { file[$0] != .null } ?? candidates[candidates.count - 1]
  }

  /// The canonical names of a tensor, its prefix gone: several of one that is to be split into equal
  /// parts, none of a buffer.
  func canonicalNames(_ name: String) -> [String] {
    if ["embeddings.position_ids", "embeddings.token_type_ids"].contains(name) { return [] }
    var name = name
    // The spellings of the first conversions from TensorFlow.
    for (old, new) in [(".gamma", ".weight"), (".beta", ".bias")] where name.hasSuffix(old) {
      name = name.dropLast(old.count) + new
    }
    guard let dot = name.lastIndex(of: ".") else { return [name] }
    let (layer, last) = (String(name[..<dot]), name[dot...])
    if let canonical = layers[layer] { return [canonical + last] }
    for (start, end) in blockPrefixes where layer.hasPrefix(start) {
      let rest = layer.dropFirst(start.count)
      let number = rest.prefix { $0 != "." }
      guard rest.dropFirst(number.count).hasPrefix(end) else { continue }
      let own = String(rest.dropFirst(number.count + end.count))
      let names = fusedBlockLayers[own] ?? [blockLayers[own] ?? own]
      return names.map { "encoder.layer.\(number).\($0)\(last)" }
    }
    return [name]
  }

  /// Makes the tensors those that `TensorNames` asks for.
  ///
  /// - Parameter tensors: by canonical name.
  func adapt(_ tensors: inout [String: Tensor], _ configuration: ModelConfiguration) {
    let positions = TensorNames.tables[1]
    // Padding's position is its id; rows before that are nobody's.
    let padding = configuration.padTokenID
    if configuration.hasPaddingPosition, let table = tensors[positions], table.shape.count == 2,
      padding <= table.shape[0], let rows = table.rows(padding..<table.shape[0])
    {
      tensors[positions] = rows
    }
    if dropsUnusedPositions {
      if !configuration.hasPositionTable { tensors[positions] = nil }
      for part in ["weight", "bias"] where configuration.disentangled == nil {
        tensors["\(TensorNames.relativeNorm).\(part)"] = nil
      }
    }
    let types = TensorNames.tables[2]
    if !configuration.hasTypeTable, tensors[types] == nil {
      let shape = [configuration.typeCount, configuration.embeddingSize]
      tensors[types] = Tensor(
        name: types, shape: shape, floats: Array(repeating: 0, count: shape[0] * shape[1]))
    }
  }
}
