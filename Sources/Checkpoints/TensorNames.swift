/// The tensors that a BERT encoder is made of, by Hugging Face's names.
public struct TensorNames {
  public static let tables = ["word", "position", "token_type"].map {
    "embeddings.\($0)_embeddings.weight"
  }

  public let required: [TensorSpecification]
  /// All or none.
  public let pooler: [TensorSpecification]

  public init(_ configuration: ModelConfiguration) {
    let hidden = configuration.hiddenSize
    let intermediate = configuration.intermediateSize

    func linear(_ name: String, _ outputs: Int, _ inputs: Int) -> [TensorSpecification] {
      [.init("\(name).weight", [outputs, inputs]), .init("\(name).bias", [outputs])]
    }
    func norm(_ name: String) -> [TensorSpecification] {
      [.init("\(name).LayerNorm.weight", [hidden]), .init("\(name).LayerNorm.bias", [hidden])]
    }

    var required = [
      TensorSpecification(Self.tables[0], [configuration.vocabularySize, hidden]),
      TensorSpecification(Self.tables[1], [configuration.positionRowCount, hidden]),
      TensorSpecification(Self.tables[2], [configuration.typeCount, hidden]),
    ]
    required += norm("embeddings")
    for index in 0..<configuration.blockCount {
      let block = "encoder.layer.\(index)"
      for part in ["query", "key", "value"] {
        required += linear("\(block).attention.self.\(part)", hidden, hidden)
      }
      required += linear("\(block).attention.output.dense", hidden, hidden)
      required += norm("\(block).attention.output")
      required += linear("\(block).intermediate.dense", intermediate, hidden)
      required += linear("\(block).output.dense", hidden, intermediate)
      required += norm("\(block).output")
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
