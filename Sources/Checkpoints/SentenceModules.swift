public import EncoderContract

/// What sentence-transformers does after the encoder: pooling over tokens, then layers over the
/// pooled vector, one after the other.
///
/// Source: sentence-transformers 6.2, `Pooling`, `Dense`, `LayerNorm`, `Normalize` and the files
/// that `save` writes.
public struct SentenceModules: Equatable, Sendable {

  /// Mean 0 and variance 1, then a factor and a summand for each component.
  public struct LayerNorm: Equatable, Sendable {
    public var weights: [Float]
    public var bias: [Float]
    /// Added to the variance.
    public var epsilon = 1e-5
  }

  /// What is done to the pooled vector.
  public enum Layer: Equatable, Sendable {
    case dense(DenseLayer)
    case layerNorm(LayerNorm)
    /// Divides it by its Euclidean length.
    case normalize
  }

  /// Their vectors one after the other; none if there is no `sentence_embedding`.
  public var poolings: [Pooling]
  /// How a `sparse_embedding` is made; nil if there is none.
  public var sparse: SparsePooling?
  /// The other way to a `sparse_embedding`; nil if there is none.
  public var tokenWeights: TokenWeights?
  /// How `colbert` is made; nil if there is none.
  public var tokenVectors: TokenVectors?
  public var layers: [Layer] = []
  /// The vector's first components that are kept in the end; nil for all.
  public var truncatedSize: Int?
  /// The text is cut to this many tokens, special ones included; nil if the folder does not say.
  public var maximumSequenceLength: Int?
  /// Whether the text is lower-cased before it is tokenized, whatever the tokenizer does.
  public var lowercases = false
  /// Whether the tokens of a prompt take part in the pooling.
  public var poolsPrompt = true
  /// Texts to put before the input, by the name that asks for them ("query", "passage").
  public var prompts: [String: String] = [:]
  /// The name of the prompt where none is asked for.
  public var defaultPromptName: String?

  public init(pooling: Pooling) { poolings = [pooling] }

  public init(sparse: SparsePooling) {
    poolings = []
    self.sparse = sparse
  }

  public init(tokenVectors: TokenVectors) {
    poolings = []
    self.tokenVectors = tokenVectors
  }

  /// The text before an input where no prompt is asked for; nil for none.
  public var defaultPrompt: String? {
    let prompt = defaultPromptName.flatMap { prompts[$0] } ?? ""
    return prompt.isEmpty ? nil : prompt
  }

  /// Whether the result has the Euclidean length 1.
  public var normalizes: Bool { layers.last == .normalize && truncatedSize == nil }

  /// D, values of an embedding; nil if the modules do not fit a model of this hidden size.
  public func embeddingSize(hiddenSize: Int) -> Int? {
    guard !poolings.isEmpty else { return nil }
    let (pooled, overflows) = hiddenSize.multipliedReportingOverflow(by: poolings.count)
    guard !overflows else { return nil }
    guard let size = Self.size(after: layers, of: pooled) else { return nil }
    return min(size, truncatedSize ?? size)
  }

  /// Values of a vector after the layers; nil if they do not fit one another.
  static func size(after layers: [Layer], of size: Int) -> Int? {
    var size = size
    for layer in layers {
      switch layer {
      case .dense(let dense):
        guard dense.inputs == size else { return nil }
        size = dense.outputs
      case .layerNorm(let norm): guard norm.weights.count == size else { return nil }
      case .normalize: break
      }
    }
    return size
  }

  /// The file of the modules that do not fit one another or a model of this hidden size; nil if all do.
  public func fileWithWrongSizes(hiddenSize: Int) -> String? {
    if !poolings.isEmpty, embeddingSize(hiddenSize: hiddenSize) == nil { return "modules.json" }
    if let tokenVectors, tokenVectors.size(hiddenSize: hiddenSize) == nil {
      return tokenVectors.file
    }
    if let tokenWeights, tokenWeights.layer.inputs != hiddenSize { return TokenWeights.file }
    return nil
  }

  /// Bytes of the layers' weights.
  public var byteCount: Int {
    let dense = (layers + (tokenVectors?.layers ?? [])).reduce(0) { sum, layer in
      switch layer {
      case .dense(let dense): sum + dense.byteCount
      case .layerNorm(let norm): sum + 2 * norm.weights.count * MemoryLayout<Float>.size
      case .normalize: sum
      }
    }
    return dense + (tokenWeights?.layer.byteCount ?? 0)
  }

  /// How tokens become the folder's vectors, in one word.
  public var poolingName: String {
    if sparse != nil { return "splade" }
    return poolings.isEmpty ? "colbert" : poolings.map(\.rawValue).joined(separator: "+")
  }

  /// "mean, dense 384 to 128, normalised": the modules for people.
  public var summary: String {
    if let sparse { return "splade \(sparse.strategy.rawValue), \(sparse.activation.rawValue)" }
    var entries: [String] = []
    if !poolings.isEmpty {
      var parts = [poolings.map(\.rawValue).joined(separator: " + ")] + layers.map(\.summary)
      if let truncatedSize { parts.append("cut to \(truncatedSize)") }
      entries.append(parts.joined(separator: ", "))
    }
    if tokenWeights != nil { entries.append("weights of tokens") }
    if let tokenVectors {
      entries.append(
        (["vectors of tokens"] + tokenVectors.layers.map(\.summary)).joined(separator: ", "))
    }
    return entries.joined(separator: "; ")
  }
}

extension SentenceModules.Layer {
  fileprivate var summary: String {
    switch self {
    case .dense(let dense): "dense \(dense.inputs) to \(dense.outputs)"
    case .layerNorm: "layer norm"
    case .normalize: "normalised"
    }
  }
}

extension SentenceModules {
  /// The folder's modules with another pooling; nil if there are none and no pooling is given.
  public init?(_ folder: SentenceModules?, pooling: Pooling?, sparse: SparsePooling? = nil) {
    let own = pooling.map { SentenceModules(pooling: $0) } ?? sparse.map(SentenceModules.init)
    guard let modules = folder ?? own else { return nil }
    self = modules
    if let pooling {
      poolings = [pooling]
      self.sparse = nil
    } else if let sparse {
      (poolings, layers, truncatedSize) = ([], [], nil)
      (self.sparse, tokenWeights, tokenVectors) = (sparse, nil, nil)
    }
  }
}
