/// What sentence-transformers does after the encoder: pooling over tokens, perhaps linear layers,
/// perhaps normalising, in this order.
///
/// Source: sentence-transformers, `Pooling`, `Dense`, `Normalize` and the files that `save` writes.
public struct SentenceModules: Equatable, Sendable {
  /// How a text's token vectors become one. Padding never counts.
  public enum Pooling: String, CaseIterable, Sendable {
    /// The first token's vector.
    case cls
    /// The largest of each component.
    case max
    case mean
    /// The sum, divided by the square root of the number of tokens.
    case meanSqrtLength = "mean_sqrt_len_tokens"
    /// The mean, the i-th token (from 1) weighted by i.
    case weightedMean = "weightedmean"
    case lastToken = "lasttoken"
  }

  /// A linear layer over the pooled vector, and a function of each component.
  public struct Dense: Equatable, Sendable {
    public enum Activation: String, CaseIterable, Sendable {
      case identity = "Identity"
      case tanh = "Tanh"
      case relu = "ReLU"
    }

    public var inputs: Int
    public var outputs: Int
    /// [outputs, inputs]
    public var weights: [Float]
    /// [outputs]
    public var bias: [Float]
    public var activation: Activation
  }

  /// What a folder says about sentence embeddings.
  public enum Support: Equatable, Sendable {
    /// There is no `modules.json`: a plain model.
    case absent
    /// The folder has modules that are not computed; the rest of the model works.
    case unsupported(reason: String)
    case supported(SentenceModules)
  }

  public var pooling: Pooling
  /// The one after the other, each taking what the one before gives.
  public var dense: [Dense] = []
  /// Whether the result is divided by its Euclidean length.
  public var normalizes = false
  /// Whether the tokens of a prompt take part in the pooling.
  public var poolsPrompt = true
  /// The text is cut to this many tokens, special ones included; nil if the folder does not say.
  public var maximumSequenceLength: Int?
  /// Whether the text is lower-cased before it is tokenized, whatever the tokenizer does.
  public var lowercases = false
  /// Texts to put before the input, by the name that asks for them ("query", "passage").
  public var prompts: [String: String] = [:]
  public var defaultPromptName: String?

  public init(pooling: Pooling) { self.pooling = pooling }

  /// D, values of an embedding; nil if the modules do not fit a model of this hidden size.
  public func embeddingSize(hiddenSize: Int) -> Int? {
    dense.reduce(Optional(hiddenSize)) { size, layer in size == layer.inputs ? layer.outputs : nil }
  }
}

extension SentenceModules.Support {
  /// The modules only if they fit a model of this hidden size.
  public func fitting(hiddenSize: Int) -> SentenceModules.Support {
    guard case .supported(let modules) = self,
      modules.embeddingSize(hiddenSize: hiddenSize) == nil
    else { return self }
    let layers = modules.dense.map { "\($0.inputs) to \($0.outputs)" }.joined(separator: ", ")
    return .unsupported(
      reason: "modules.json: Dense from \(layers) does not fit a hidden size of \(hiddenSize)")
  }
}
