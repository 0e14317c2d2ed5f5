import JSON

/// BERT's relatives whose encoder is BERT's: what differs is how their files name things.
enum HuggingFaceArchitecture {
  case bert
  /// RoBERTa, XLM-RoBERTa, CamemBERT: positions count from behind the padding token's id.
  case roberta
  /// No token types, no pooler.
  case distilBERT

  /// The architecture that a `config.json` names.
  init(_ file: JSONFile) throws(CheckpointError) {
    switch try Self.modelType(file) {
    case "bert": self = .bert
    case "roberta", "xlm-roberta", "camembert": self = .roberta
    case "distilbert": self = .distilBERT
    case let type:
      let reason = Self.reasons[type].map { " (\($0))" } ?? ""
      throw .unsupported(
        path: file.path,
        reason: "model_type \"\(type)\" is not supported\(reason); bert, distilbert, roberta, "
          + "xlm-roberta and camembert are")
    }
  }

  /// Configurations older than transformers 2.9 do not say it: then it is BERT, unless the class is
  /// another's.
  private static func modelType(_ file: JSONFile) throws(CheckpointError) -> String {
    if let type = try file.string("model_type") { return type }
    guard case .array(let names) = file["architectures"] else { return "bert" }
    for case .string(let name) in names where !name.hasPrefix("Bert") {
      throw .unsupported(
        path: file.path,
        reason: "has no model_type, and its architectures are \"\(name.prefix(64))\": add "
          + "\"model_type\", which is one of bert, distilbert, roberta, xlm-roberta, camembert")
    }
    return "bert"
  }

  private static let reasons = [
    "albert": "its blocks share their weights",
    "deberta": "its attention depends on relative positions",
    "deberta-v2": "its attention depends on relative positions",
    "electra": "its embeddings may be narrower than its blocks",
    "modernbert": "it has rotary positions and gated feed-forward layers",
    "mpnet": "its attention has a bias by relative position",
    "nomic_bert": "it has rotary positions and gated feed-forward layers",
  ]

  /// What the encoder's tensors are called below, in a model with a head.
  var prefix: String {
    switch self {
    case .bert: "bert."
    case .roberta: "roberta."
    case .distilBERT: "distilbert."
    }
  }

  /// The key in `config.json` for one of BERT's.
  func key(_ name: String, in file: JSONFile) -> String {
    guard self == .distilBERT else { return name }
    // transformers maps some of BERT's names onto DistilBERT's own, and takes them if both are there.
    let isMapped = file[name] != .null
    return switch name {
    case "hidden_size" where !isMapped: "dim"
    case "num_hidden_layers" where !isMapped: "n_layers"
    case "num_attention_heads" where !isMapped: "n_heads"
    case "intermediate_size": "hidden_dim"
    case "hidden_act": "activation"
    default: name
    }
  }

  /// The canonical name of a tensor, its prefix gone; nil for a buffer.
  func canonicalName(_ name: String) -> String? {
    if ["embeddings.position_ids", "embeddings.token_type_ids"].contains(name) { return nil }
    var name = name
    // The spellings of the first conversions from TensorFlow.
    for (old, new) in [(".gamma", ".weight"), (".beta", ".bias")] where name.hasSuffix(old) {
      name = name.dropLast(old.count) + new
    }
    let blocks = "transformer.layer."
    guard self == .distilBERT, name.hasPrefix(blocks) else { return name }
    let parts = name.dropFirst(blocks.count).split(separator: ".")
    guard let number = parts.first, let last = parts.last, parts.count > 2,
      let layer = Self.distilBERTLayers[parts[1..<parts.count - 1].joined(separator: ".")]
    else { return name }
    return "encoder.layer.\(number).\(layer).\(last)"
  }

  private static let distilBERTLayers = [
    "attention.q_lin": "attention.self.query",
    "attention.k_lin": "attention.self.key",
    "attention.v_lin": "attention.self.value",
    "attention.out_lin": "attention.output.dense",
    "sa_layer_norm": "attention.output.LayerNorm",
    "ffn.lin1": "intermediate.dense",
    "ffn.lin2": "output.dense",
    "output_layer_norm": "output.LayerNorm",
  ]

  /// Makes the tensors those of a BERT that computes the same.
  ///
  /// - Parameter tensors: by canonical name.
  func adapt(_ tensors: inout [String: Tensor], _ configuration: ModelConfiguration) {
    switch self {
    case .bert: break
    case .roberta:
      // Padding's position is its id; rows before that are nobody's.
      let name = "embeddings.position_embeddings.weight"
      if let table = tensors[name], table.shape.count == 2,
        let rows = table.droppingRows(configuration.padTokenID)
      {
        tensors[name] = rows
      }
    case .distilBERT:
      let count = configuration.typeCount * configuration.hiddenSize
      let name = "embeddings.token_type_embeddings.weight"
      guard tensors[name] == nil else { break }
      tensors[name] = Tensor(
        name: name, shape: [configuration.typeCount, configuration.hiddenSize],
        floats: Array(repeating: 0, count: count))
    }
  }
}
