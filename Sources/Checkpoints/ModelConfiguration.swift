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
  /// Whether that layer, without a bias, comes before the norm; or after it.
  public var projectsFirst = false
  /// L, Transformer layers: 1 to 64.
  public var blockCount: Int
  /// Sets of block weights, each of as many blocks, one after the other; as many as blocks unless these
  /// share them.
  public var blockSetCount: Int
  /// A, attention heads; divides H.
  public var headCount: Int
  /// Heads of keys and values, each of as many heads of queries, one after the other; divides A.
  public var keyValueHeadCount: Int
  /// F, the width of the feed-forward layer.
  public var intermediateSize: Int
  /// Whether the feed-forward layer is output(activation(gate(x)) · intermediate(x)), as in GLU's
  /// variants; or output(activation(intermediate(x))).
  public var isGated = false
  /// Whether norms stand before attention and before the feed-forward layer, and one after the last block
  /// (pre-norm); or after each with the sum of what went in and what came out (post-norm).
  public var isPreNorm = false
  /// Whether the first block of a pre-norm encoder has a norm before attention.
  public var hasFirstNorm = true
  /// Whether norms divide by the root of the mean square, and subtract no mean (RMSNorm).
  public var isRootMeanSquareNorm = false
  /// Whether queries and keys go through norms, each over all heads, before their product.
  public var normsQueriesAndKeys = false
  /// Whether scores are mixed over heads before softmax, and what it gives after it (talking heads).
  public var mixesHeads = false
  /// Whether a post-norm block adds what went in to the result of attention's norm once more, and another
  /// norm follows.
  public var hasSecondAttentionResidual = false
  /// Whether a norm follows the sum of embeddings.
  public var hasEmbeddingNorm = true
  /// The layers that add a bias.
  public var biases = Biases.all
  /// The longest sequence, special tokens included.
  public var positionCount = 512
  /// Whether tokens of padding have a position of their own, as RoBERTa's: row 0 of the position
  /// embeddings, and the others count from 1.
  public var hasPaddingPosition = false
  /// Whether there is a table of position embeddings.
  public var hasPositionTable = true
  /// Rows of the position embeddings.
  public var positionRowCount: Int { positionCount + (hasPaddingPosition ? 1 : 0) }
  /// How each block's attention depends on positions; empty if no block's does.
  public var blockAttention: [BlockAttention] = []
  /// Rows of the token type embeddings.
  public var typeCount = 2
  /// Whether there is a table of token types; without one they add nothing.
  public var hasTypeTable = true
  /// Added to the variance in layer norms.
  public var layerNormEpsilon = 1e-12
  public var activation = Activation.geluErf
  /// What attention's scores get by distance; nil: nothing.
  public var relativeBias: RelativeBias?
  /// Whether attention's scores fall with the distance of query and key, by a slope of each head (ALiBi).
  public var hasLinearBias = false
  /// Terms of attention's scores by relative position; nil: none.
  public var disentangled: DisentangledAttention?
  /// Beside the first block; nil: none.
  public var convolution: Convolution?
  /// Scores are divided by √(scoreTerms · headSize).
  public var scoreTerms = 1
  /// Whether embeddings of padding are 0, and padding attends to all tokens uniformly.
  public var paddingAttendsUniformly = false
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
    keyValueHeadCount = headCount
    self.intermediateSize = intermediateSize
  }

  /// How the attention of a block depends on the positions of tokens.
  public struct BlockAttention: Equatable, Sendable {
    /// Rotates queries and keys; nil: nothing does.
    public var rotary: RotaryEmbedding?
    /// A token attends to those at a distance less than this; nil: to all.
    public var window: Int?

    public init(rotary: RotaryEmbedding? = nil, window: Int? = nil) {
      self.rotary = rotary
      self.window = window
    }
  }

  /// What the first block gives becomes norm(it + activation(convolution(its input))): a convolution over
  /// the tokens of a text, with zeros on both sides.
  ///
  /// Source: transformers `models/deberta_v2`, `ConvLayer`.
  public struct Convolution: Equatable, Sendable {
    /// Tokens that it reads for one: odd.
    public var size: Int
    /// Nil: tanh.
    public var activation: Activation?

    public init(size: Int, activation: Activation? = nil) {
      self.size = size
      self.activation = activation
    }
  }

  /// Layers by what they do.
  public struct Biases: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    public static let queryKeyValue = Biases(rawValue: 1)
    public static let attentionOutput = Biases(rawValue: 2)
    /// Of the gate too.
    public static let intermediate = Biases(rawValue: 4)
    public static let output = Biases(rawValue: 8)
    /// What norms add.
    public static let norms = Biases(rawValue: 16)
    public static let attention: Biases = [.queryKeyValue, .attentionOutput]
    public static let feedForward: Biases = [.intermediate, .output]
    public static let all: Biases = [.attention, .feedForward, .norms]
  }

  /// What the sizes may be, so that no product of two of them overflows.
  public enum Limits {
    static let vocabularySize = 1...(1 << 24)
    public static let hiddenSize = 1...16_384
    public static let blockCount = 1...64
    static let headCount = 1...1024
    static let intermediateSize = 1...131_072
    /// Size of a convolution by columns: the inputs of its linear layer.
    static let convolutionInputs = intermediateSize.upperBound
    /// A text takes two special tokens, and one of its own.
    public static let positionCount = 3...(1 << 20)
    static let typeCount = 1...1024
    static let bucketCount = 1...4096
    /// Largest distance between tokens that has its own row of relative embeddings.
    static let distance = 1 << 15
    static let window = 1...(1 << 21)
    /// Positions by columns of a head.
    static let rotaryTable = 1 << 26
    /// Positions by heads.
    static let linearBias = 1 << 24
    /// Of a sentence's vector, concatenated poolings included.
    public static let vectorSize = 1...(1 << 18)
    /// Inputs by outputs of a dense layer of sentence-transformers.
    static let denseWeights = 1 << 28
  }

  /// E, values of a row of the embedding tables.
  public var embeddingSize: Int { projectedSize ?? hiddenSize }
  /// The set of weights that a block has.
  public func blockSet(of block: Int) -> Int { block * blockSetCount / blockCount }
  public func attention(of block: Int) -> BlockAttention {
    blockAttention.isEmpty ? BlockAttention() : blockAttention[block]
  }
  /// H / A, values per attention head.
  public var headSize: Int { hiddenSize / headCount }
}
