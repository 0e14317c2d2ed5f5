/// What sentence-transformers does after the encoder: pooling over tokens, perhaps normalising.
///
/// Source: sentence-transformers, `Pooling`, `Normalize` and the files that `save` writes.
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

  /// What a folder says about sentence embeddings.
  public enum Support: Equatable, Sendable {
    /// There is no `modules.json`: a plain model.
    case absent
    /// The folder has modules that are not computed; the rest of the model works.
    case unsupported(reason: String)
    case supported(SentenceModules)
  }

  public var pooling: Pooling
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
}
