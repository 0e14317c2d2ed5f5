public import Batching
public import OutputMap
public import WordPiece

/// A loaded model as the routes see it; never written after loading.
public struct ServedModel: Sendable {
  /// What the map holds and how large its entries are.
  public struct Shape: Sendable, Equatable {
    /// H, elements.
    public var hiddenSize: Int
    /// L.
    public var blockCount: Int
    /// The most positions of one text, special tokens included.
    public var positionCount: Int
    /// Without one there is no `pooled_output` and no `default`.
    public var hasPooler: Bool
    /// D; nil without sentence-transformers modules.
    public var sentenceSize: Int?

    public init(
      hiddenSize: Int, blockCount: Int, positionCount: Int, hasPooler: Bool, sentenceSize: Int?
    ) {
      self.hiddenSize = hiddenSize
      self.blockCount = blockCount
      self.positionCount = positionCount
      self.hasPooler = hasPooler
      self.sentenceSize = sentenceSize
    }

    /// The keys of this model's map, in the order in which the README names them.
    public var keys: [OutputKey] {
      OutputKey.allCases.filter { key in
        switch key {
        case .default, .pooledOutput: hasPooler
        case .sequenceOutput, .encoderOutputs: true
        case .sentenceEmbedding: sentenceSize != nil
        }
      }
    }
  }

  public var name: String
  public var shape: Shape
  /// The most tokens of a text where the request names no limit.
  public var defaultMaxTokens: Int
  public var tokenizer: WordPieceTokenizer
  /// Shared by all models.
  public var queue: BatchQueue
  /// Index of its encoder in the queue.
  public var encoder: Int
  /// What `/info` tells besides the shape: precision, kernel set, threads and why that many.
  public var facts: [(name: String, value: String)]

  public init(
    name: String, shape: Shape, defaultMaxTokens: Int, tokenizer: WordPieceTokenizer,
    queue: BatchQueue, encoder: Int, facts: [(name: String, value: String)]
  ) {
    self.name = name
    self.shape = shape
    self.defaultMaxTokens = defaultMaxTokens
    self.tokenizer = tokenizer
    self.queue = queue
    self.encoder = encoder
    self.facts = facts
  }
}
