public import EncoderContract

/// How a folder makes `colbert`: what is done to each row of the last block's output, and how queries
/// and documents are read.
///
/// Source: sentence-transformers 6.2, `MultiVectorEncoder`, which reads folders of PyLate and of
/// ColBERT's own code too.
public struct TokenVectors: Equatable, Sendable {
  /// What fills a query up.
  public struct Expansion: Equatable, Sendable {
    /// Nil for `[MASK]`.
    public var token: String?
    public var length: Int
    /// Whether longer queries are cut to that length.
    public var isFixed: Bool
    public var isAttended: Bool
  }

  public var layers: [SentenceModules.Layer]
  /// The folder's file that has the layers, or their names.
  public var file = "modules.json"
  /// Tokens that are not scored in texts of `skippedIn`.
  public var skippedWords: [String] = []
  public var skippedIn: Set<InputType> = [.document]
  /// The only tokens of documents that are scored; nil: all.
  public var keptTokens: [Int32]?
  /// Whether the first token is not scored.
  public var skipsFirst = false
  /// The most tokens of a text; nil: as many as the folder allows.
  public var maxTokens: [InputType: Int] = [:]
  public var expansion: Expansion?
  /// Prompts that begin with a token of the vocabulary, which is sought in texts as a special token.
  public var markers: [String] = []

  public init(layers: [SentenceModules.Layer]) { self.layers = layers }

  /// D; nil if the layers do not fit a model of this hidden size.
  public func size(hiddenSize: Int) -> Int? {
    SentenceModules.size(after: layers, of: hiddenSize)
  }
}

/// A weight for each token of a text, made of its row of the last block's output: the other way to a
/// `sparse_embedding`, of which each token of the vocabulary gets its largest.
///
/// Source: FlagEmbedding 1.3, `inference/embedder/encoder_only/m3.py`.
public struct TokenWeights: Equatable, Sendable {
  static let file = "sparse_linear.pt"

  /// [1, H]
  public var layer: DenseLayer
}
