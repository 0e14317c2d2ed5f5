import Checkpoints

/// The tensors of a BERT encoder, by Hugging Face's names.
enum BERTShapes {
  static func required(_ configuration: ModelConfiguration) -> [TensorSpecification] {
    let hidden = configuration.hiddenSize
    let wide = configuration.intermediateSize
    var all: [TensorSpecification] = [
      .init("embeddings.word_embeddings.weight", [configuration.vocabularySize, hidden]),
      .init("embeddings.position_embeddings.weight", [configuration.positionRowCount, hidden]),
      .init("embeddings.token_type_embeddings.weight", [configuration.typeCount, hidden]),
      .init("embeddings.LayerNorm.weight", [hidden]),
      .init("embeddings.LayerNorm.bias", [hidden]),
    ]
    for block in 0..<configuration.blockCount {
      let layers: [(String, [Int])] = [
        ("attention.self.query", [hidden, hidden]), ("attention.self.key", [hidden, hidden]),
        ("attention.self.value", [hidden, hidden]), ("attention.output.dense", [hidden, hidden]),
        ("attention.output.LayerNorm", [hidden]), ("intermediate.dense", [wide, hidden]),
        ("output.dense", [hidden, wide]), ("output.LayerNorm", [hidden]),
      ]
      for (layer, shape) in layers {
        all.append(.init("encoder.layer.\(block).\(layer).weight", shape))
        all.append(.init("encoder.layer.\(block).\(layer).bias", [shape[0]]))
      }
    }
    return all
  }

  static func pooler(_ configuration: ModelConfiguration) -> [TensorSpecification] {
    let hidden = configuration.hiddenSize
    return [.init("pooler.dense.weight", [hidden, hidden]), .init("pooler.dense.bias", [hidden])]
  }
}
