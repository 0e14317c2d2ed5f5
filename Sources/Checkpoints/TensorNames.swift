/// The tensors that an encoder is made of, by Hugging Face's names for BERT, and names of the same kind
/// for what BERT does not have.
public struct TensorNames {
  public static let tables = ["word", "position", "token_type"].map {
    "embeddings.\($0)_embeddings.weight"
  }

  /// [H, E], where the embeddings have a size of their own.
  public static let projection = "embeddings_project"
  /// [buckets, A]
  public static let relativeBias = "encoder.relative_attention_bias.weight"
  /// [rows, H], of distances, and the norm of them.
  public static let relativeTable = "encoder.relative_embeddings"
  public static let relativeNorm = "encoder.relative.LayerNorm"
  /// [H, H, size], and the norm after it.
  public static let convolution = "encoder.convolution"
  public static let convolutionNorm = "encoder.convolution.LayerNorm"
  /// After the last block of a pre-norm encoder.
  public static let finalNorm = "encoder.LayerNorm"

  /// Names within a block.
  public enum Block {
    public static let queryKeyValue = ["query", "key", "value"].map { "attention.self.\($0)" }
    /// Of what these layers give.
    public static let queryNorm = "attention.self.query.LayerNorm"
    public static let keyNorm = "attention.self.key.LayerNorm"
    /// Of distances, in place of those of keys and queries.
    public static let relativeKey = "attention.self.relative_key"
    public static let relativeQuery = "attention.self.relative_query"
    /// [A, A], from head to head: of scores, and of what softmax makes of them.
    public static let scoreMix = "attention.self.pre_softmax_weight"
    public static let weightMix = "attention.self.post_softmax_weight"
    public static let attentionOutput = "attention.output.dense"
    public static let gate = "intermediate.gate"
    public static let intermediate = "intermediate.dense"
    public static let output = "output.dense"
    /// Before attention and before the feed-forward layer: pre-norm's.
    public static let attentionNorm = "attention.LayerNorm"
    public static let intermediateNorm = "intermediate.LayerNorm"
    /// After them: post-norm's.
    public static let attentionOutputNorm = "attention.output.LayerNorm"
    public static let outputNorm = "output.LayerNorm"
    /// After the sum of attention's norm and what went into the block.
    public static let secondAttentionNorm = "attention.sum.LayerNorm"
  }

  /// What a block's tensors are called before their names within it.
  public static func block(_ index: Int) -> String { "encoder.layer.\(index)." }

  public let required: [TensorSpecification]
  /// All or none.
  public let pooler: [TensorSpecification]

  public init(_ configuration: ModelConfiguration) {
    let hidden = configuration.hiddenSize
    let embedding = configuration.embeddingSize
    let intermediate = configuration.intermediateSize
    let keys = configuration.keyValueHeadCount * configuration.headSize

    func linear(
      _ name: String, _ outputs: Int, _ inputs: Int, _ kind: ModelConfiguration.Biases? = nil
    ) -> [TensorSpecification] {
      let weight = TensorSpecification("\(name).weight", [outputs, inputs])
      guard kind.map({ configuration.biases.isSuperset(of: $0) }) ?? true else { return [weight] }
      return [weight, .init("\(name).bias", [outputs])]
    }
    func norm(_ name: String, _ size: Int) -> [TensorSpecification] {
      let scale = TensorSpecification("\(name).weight", [size])
      guard configuration.biases.contains(.norms) else { return [scale] }
      return [scale, .init("\(name).bias", [size])]
    }

    var required = [
      TensorSpecification(Self.tables[0], [configuration.vocabularySize, embedding])
    ]
    if configuration.hasPositionTable {
      required.append(.init(Self.tables[1], [configuration.positionRowCount, embedding]))
    }
    required.append(.init(Self.tables[2], [configuration.typeCount, embedding]))
    let normSize = configuration.projectsFirst ? hidden : embedding
    if configuration.hasEmbeddingNorm { required += norm("embeddings.LayerNorm", normSize) }
    if configuration.projectedSize != nil {
      let weight = linear(Self.projection, hidden, embedding)
      required += configuration.projectsFirst ? [weight[0]] : weight
    }
    if let disentangled = configuration.disentangled {
      required.append(.init("\(Self.relativeTable).weight", [disentangled.rowCount, hidden]))
      if disentangled.hasNorm { required += norm(Self.relativeNorm, hidden) }
    }
    if let convolution = configuration.convolution {
      required.append(.init("\(Self.convolution).weight", [hidden, hidden, convolution.size]))
      required.append(.init("\(Self.convolution).bias", [hidden]))
      required += norm(Self.convolutionNorm, hidden)
    }
    if let bias = configuration.relativeBias {
      required.append(.init(Self.relativeBias, [bias.bucketCount, configuration.headCount]))
    }
    for index in 0..<configuration.blockSetCount {
      let block = Self.block(index)
      for (name, outputs) in zip(Block.queryKeyValue, [hidden, keys, keys]) {
        required += linear(block + name, outputs, hidden, .queryKeyValue)
      }
      if configuration.normsQueriesAndKeys {
        required += norm(block + Block.queryNorm, hidden) + norm(block + Block.keyNorm, keys)
      }
      if configuration.mixesHeads {
        let heads = configuration.headCount
        required += [Block.scoreMix, Block.weightMix].map { .init(block + $0, [heads, heads]) }
      }
      if let disentangled = configuration.disentangled, !disentangled.sharesLayers {
        if disentangled.hasKeys { required += linear(block + Block.relativeKey, hidden, hidden) }
        if disentangled.hasQueries {
          required += linear(block + Block.relativeQuery, hidden, hidden)
        }
      }
      required += linear(block + Block.attentionOutput, hidden, hidden, .attentionOutput)
      let norms = configuration.blockNorms(index)
      for name in norms.dropLast() { required += norm(block + name, hidden) }
      if configuration.isGated {
        required += linear(block + Block.gate, intermediate, hidden, .intermediate)
      }
      required += linear(block + Block.intermediate, intermediate, hidden, .intermediate)
      required += linear(block + Block.output, hidden, intermediate, .output)
      required += norm(block + norms[norms.count - 1], hidden)
    }
    if configuration.isPreNorm { required += norm(Self.finalNorm, hidden) }
    self.required = required
    pooler = linear("pooler.dense", hidden, hidden)
  }
}

extension ModelConfiguration {
  /// Names of the norms of a set of block weights.
  func blockNorms(_ index: Int) -> [String] {
    guard isPreNorm else {
      let sum = hasSecondAttentionResidual ? [TensorNames.Block.secondAttentionNorm] : []
      return [TensorNames.Block.attentionOutputNorm] + sum + [TensorNames.Block.outputNorm]
    }
    let first = index > 0 || hasFirstNorm ? [TensorNames.Block.attentionNorm] : []
    return first + [TensorNames.Block.intermediateNorm]
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
