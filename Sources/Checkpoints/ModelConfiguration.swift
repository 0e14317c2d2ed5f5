/// The sizes and choices of an encoder: BERT's, and what its relatives do otherwise. The forward pass
/// knows this value, and no family by name.
public struct ModelConfiguration: Equatable, Sendable {
  /// `bert`, or the relative that a `config.json` names: for people.
  public var modelType = "bert"
  /// V, rows of the word embeddings.
  public var vocabularySize: Int
  /// H, values per token.
  public var hiddenSize: Int
  /// E, values of a row of the embedding tables, where a linear layer makes them H; nil without one.
  public var projectedSize: Int?
  /// L, Transformer layers: 1 to 64.
  public var blockCount: Int
  /// Sets of block weights, each of as many blocks, one after the other; as many as blocks unless these
  /// share them.
  public var blockSetCount: Int
  /// A, attention heads; divides H.
  public var headCount: Int
  /// F, the width of the feed-forward layer.
  public var intermediateSize: Int
  /// The longest sequence, special tokens included.
  public var positionCount = 512
  /// Whether tokens of padding have a position of their own, as RoBERTa's: row 0 of the position
  /// embeddings, and the others count from 1.
  public var hasPaddingPosition = false
  /// Rows of the position embeddings.
  public var positionRowCount: Int { positionCount + (hasPaddingPosition ? 1 : 0) }
  /// Rows of the token type embeddings.
  public var typeCount = 2
  /// Added to the variance in layer norms.
  public var layerNormEpsilon = 1e-12
  public var activation = Activation.geluErf
  /// What attention's scores get by distance; nil: nothing.
  public var relativeBias: RelativeBias?
  /// Whether the pooler's result is divided by its Euclidean length, as in LaBSE's export.
  public var normalizesPooled = false
  /// The id of `[PAD]`.
  public var padTokenID = 0

  public init(
    vocabularySize: Int, hiddenSize: Int, blockCount: Int, headCount: Int, intermediateSize: Int
  ) {
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.blockCount = blockCount
    blockSetCount = blockCount
    self.headCount = headCount
    self.intermediateSize = intermediateSize
  }

  /// What the sizes may be, so that no product of two of them overflows.
  public enum Limits {
    static let vocabularySize = 1...(1 << 24)
    public static let hiddenSize = 1...16_384
    public static let blockCount = 1...64
    static let headCount = 1...1024
    static let intermediateSize = 1...131_072
    /// A text takes two special tokens, and one of its own.
    public static let positionCount = 3...(1 << 20)
    static let typeCount = 1...1024
    static let bucketCount = 1...4096
    /// Of a sentence's vector, concatenated poolings included.
    public static let vectorSize = 1...(1 << 18)
  }

  /// E, values of a row of the embedding tables.
  public var embeddingSize: Int { projectedSize ?? hiddenSize }
  /// The set of weights that a block has.
  public func blockSet(of block: Int) -> Int { block * blockSetCount / blockCount }
  /// H / A, values per attention head.
  public var headSize: Int { hiddenSize / headCount }
}
