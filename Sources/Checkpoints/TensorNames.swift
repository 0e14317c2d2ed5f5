/// The tensors that an encoder is made of, by Hugging Face's names for BERT, and ELECTRA's and MPNet's
/// for what BERT does not have.
public struct TensorNames {
  public static let tables = ["word", "position", "token_type"].map {
    "embeddings.\($0)_embeddings.weight"
  }

  /// [H, E], where the embeddings have a size of their own.
  public static let projection = "embeddings_project"
  /// [buckets, A]
  public static let relativeBias = "encoder.relative_attention_bias.weight"

  public let required: [TensorSpecification]
  /// All or none.
  public let pooler: [TensorSpecification]

  public init(_ configuration: ModelConfiguration) {
    let hidden = configuration.hiddenSize
    let embedding = configuration.embeddingSize
    let intermediate = configuration.intermediateSize

    func linear(_ name: String, _ outputs: Int, _ inputs: Int) -> [TensorSpecification] {
      [.init("\(name).weight", [outputs, inputs]), .init("\(name).bias", [outputs])]
    }
    func norm(_ name: String, _ size: Int) -> [TensorSpecification] {
      [.init("\(name).LayerNorm.weight", [size]), .init("\(name).LayerNorm.bias", [size])]
    }

    var required = [
      TensorSpecification(Self.tables[0], [configuration.vocabularySize, embedding]),
      TensorSpecification(Self.tables[1], [configuration.positionRowCount, embedding]),
      TensorSpecification(Self.tables[2], [configuration.typeCount, embedding]),
    ]
    required += norm("embeddings", embedding)
    if configuration.projectedSize != nil { required += linear(Self.projection, hidden, embedding) }
    if let bias = configuration.relativeBias {
      required.append(.init(Self.relativeBias, [bias.bucketCount, configuration.headCount]))
    }
    for index in 0..<configuration.blockSetCount {
      let block = "encoder.layer.\(index)"
      for part in ["query", "key", "value"] {
        required += linear("\(block).attention.self.\(part)", hidden, hidden)
      }
      required += linear("\(block).attention.output.dense", hidden, hidden)
      required += norm("\(block).attention.output", hidden)
      required += linear("\(block).intermediate.dense", intermediate, hidden)
      required += linear("\(block).output.dense", hidden, intermediate)
      required += norm("\(block).output", hidden)
    }
    self.required = required
    pooler = linear("pooler.dense", hidden, hidden)
  }
}

/// A tensor that a model needs.
public struct TensorSpecification: Equatable, Sendable {
  /// Hugging Face's name without the `bert.` prefix: `encoder.layer.0.output.dense.weight`.
  public var name: String
  public var shape: [Int]

  public init(_ name: String, _ shape: [Int]) {
    self.name = name
    self.shape = shape
  }
}
