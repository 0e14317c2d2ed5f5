/// A variable of a TensorFlow checkpoint, as the tensor that it is.
struct TensorFlowVariable {
  /// The canonical name: Hugging Face's.
  var name: String
  /// The canonical shape: linear weights are [out, in].
  var shape: [Int]
  /// How many axes of a kernel are inputs: those are stored first. Nil if it is no kernel.
  var inputAxes: Int?
  /// Kernels are stored [in, out].
  var isTransposed: Bool { inputAxes != nil }
}

extension TensorFlowVariable {
  /// Finds out what a variable is; nil if it is no weight of an encoder.
  ///
  /// Two families of names are known: those of the original BERT repository
  /// (`bert/encoder/layer_0/attention/self/query/kernel`) and those of TensorFlow's Model Garden,
  /// from which TF Hub's models were exported (`transformer/layer_0/self_attention/query/kernel`; of its
  /// `EncoderScaffold`, `transformer_scaffold_1/talking_heads_attention/query/kernel`).
  ///
  /// - Parameter scaffolds: the numbers of all scaffolds' blocks, in order: Keras counts the layers of a
  ///   process, so that the first may have any.
  init?(_ name: String, shape: [Int], scaffolds: [Int] = []) {
    guard
      let canonical = Self.original(name) ?? Self.modelGarden(name)
        ?? Self.scaffold(name, scaffolds)
    else { return nil }
    self.init(name: canonical, shape: shape)
    if name.hasSuffix("/kernel") {
      // Einsum kernels tell the heads apart: [H, A, H/A] into the heads, [A, H/A, H] out of them.
      let inputs = name.hasSuffix("attention_output/kernel") ? shape.count - 1 : 1
      guard shape.count >= 2 else { return }
      self.shape = [Self.product(shape[inputs...]), Self.product(shape[..<inputs])]
      inputAxes = inputs
    } else if name.hasSuffix("/bias") {
      self.shape = [Self.product(shape[...])]
    }
  }

  /// Saturating: a shape that is too large fits no tensor.
  private static func product(_ lengths: ArraySlice<Int>) -> Int {
    FileNumber.product(lengths) ?? .max
  }

  /// The number in `layer_3`.
  private static func layer(_ part: Substring) -> Int? {
    part.hasPrefix("layer_") ? Int(part.dropFirst("layer_".count)) : nil
  }

  private static func original(_ name: String) -> String? {
    var parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count > 2, parts.removeFirst() == "bert",
      ["embeddings", "encoder", "pooler"].contains(parts[0])
    else { return nil }
    if parts[0] == "encoder" {
      guard parts.count > 2, let layer = layer(parts[1]) else { return nil }
      parts[1] = "layer.\(layer)"
    }
    switch parts[parts.count - 1] {
    case "kernel", "gamma": parts[parts.count - 1] = "weight"
    case "beta", "bias": parts[parts.count - 1] = "bias"
    case "word_embeddings", "position_embeddings", "token_type_embeddings": parts.append("weight")
    default: return nil
    }
    return parts.joined(separator: ".")
  }

  /// The names may stand below others': `bert_encoder_v2_1/word_embeddings/embeddings`.
  private static func modelGarden(_ name: String) -> String? {
    // The longest of them has five parts.
    var parts = name.split(separator: "/", omittingEmptySubsequences: false).suffix(5)
    while !parts.isEmpty {
      if let canonical = modelGarden(Array(parts)) { return canonical }
      parts = parts.dropFirst()
    }
    return nil
  }

  private static func modelGarden(_ parts: [Substring]) -> String? {
    if let table = tables[parts.joined(separator: "/")] { return table }
    guard parts.count > 2, parts[0] == "transformer" else { return nil }
    // ALBERT's blocks are one layer, whose variables have no number.
    if let rest = layerParts[parts[1...].joined(separator: "/")] {
      return "encoder.layer.0.\(rest)"
    }
    guard let layer = layer(parts[1]), let rest = layerParts[parts[2...].joined(separator: "/")]
    else { return nil }
    return "encoder.layer.\(layer).\(rest)"
  }

  private static func scaffold(_ name: String, _ scaffolds: [Int]) -> String? {
    guard let number = scaffoldNumber(name), let index = scaffolds.firstIndex(of: number),
      let part = scaffoldParts[name.split(separator: "/").dropFirst().joined(separator: "/")]
    else { return nil }
    return "encoder.layer.\(index).\(part)"
  }

  /// The number of the scaffold's block that a variable belongs to: 3 of `transformer_scaffold_3/…`, and 0
  /// without one.
  static func scaffoldNumber(_ name: String) -> Int? {
    let block = name.prefix { $0 != "/" }
    guard block.hasPrefix("transformer_scaffold"), block.count < name.count else { return nil }
    let rest = block.dropFirst("transformer_scaffold".count)
    return rest.isEmpty ? 0 : rest.first == "_" ? Int(rest.dropFirst()) : nil
  }

  private static let tables = [
    "word_embeddings/embeddings": "embeddings.word_embeddings.weight",
    "position_embedding/embeddings": "embeddings.position_embeddings.weight",
    "type_embeddings/embeddings": "embeddings.token_type_embeddings.weight",
    "embeddings/layer_norm/gamma": "embeddings.LayerNorm.weight",
    "embeddings/layer_norm/beta": "embeddings.LayerNorm.bias",
    "embedding_projection/kernel": "\(TensorNames.projection).weight",
    "embedding_projection/bias": "\(TensorNames.projection).bias",
    "pooler_transform/kernel": "pooler.dense.weight",
    "pooler_transform/bias": "pooler.dense.bias",
    "cls_transform/kernel": "pooler.dense.weight",
    "cls_transform/bias": "pooler.dense.bias",
  ]

  private static let layerParts = parts(attention: "self_attention", [:])

  /// A gated layer's `intermediate` has the activation, and its `gate` none.
  private static let scaffoldParts = parts(
    attention: "talking_heads_attention",
    [
      "gated_feedforward/intermediate_0": "intermediate.gate",
      "gated_feedforward/gate_0": "intermediate.dense",
      "gated_feedforward/output_0": "output.dense",
    ]
  ).merging([
    "gated_feedforward/output_layer_norm_0/gamma": "output.LayerNorm.weight",
    "gated_feedforward/output_layer_norm_0/beta": "output.LayerNorm.bias",
    "talking_heads_attention/pre_softmax_weight": TensorNames.Block.scoreMix,
    "talking_heads_attention/post_softmax_weight": TensorNames.Block.weightMix,
  ]) { $1 }

  private static func parts(
    attention: String, _ others: [String: String]
  ) -> [String: String] {
    let linear = [
      "\(attention)/query": "attention.self.query",
      "\(attention)/key": "attention.self.key",
      "\(attention)/value": "attention.self.value",
      "\(attention)/attention_output": "attention.output.dense",
      "intermediate": "intermediate.dense",
      "output": "output.dense",
    ].merging(others) { $1 }
    let norms = [
      "self_attention_layer_norm": "attention.output.LayerNorm",
      "output_layer_norm": "output.LayerNorm",
    ]
    var all: [String: String] = [:]
    for (name, canonical) in linear {
      all["\(name)/kernel"] = "\(canonical).weight"
      all["\(name)/bias"] = "\(canonical).bias"
    }
    for (name, canonical) in norms {
      all["\(name)/gamma"] = "\(canonical).weight"
      all["\(name)/beta"] = "\(canonical).bias"
    }
    return all
  }
}
