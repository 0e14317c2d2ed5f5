/// A set of Transformer blocks by index, 0 the first; at most 64 blocks.
public struct BlockSet: Hashable, Sendable {
  public private(set) var bits: UInt64 = 0

  public init() {}

  public init(_ blocks: some Sequence<Int>) {
    for block in blocks { insert(block) }
  }

  public mutating func insert(_ block: Int) {
    precondition((0..<64).contains(block), "a block index is 0 to 63")
    bits |= 1 << UInt64(block)
  }

  public func contains(_ block: Int) -> Bool { bits >> UInt64(block) & 1 == 1 }
  public var isEmpty: Bool { bits == 0 }
  public var count: Int { bits.nonzeroBitCount }
  /// The highest block in the set; nil when empty.
  public var highest: Int? { isEmpty ? nil : 63 - bits.leadingZeroBitCount }
}

/// What one sequence is to be encoded for. The pass does no more than that.
public struct OutputSelection: Hashable, Sendable {
  /// What is made of the last block's output, by canonical keys.
  public private(set) var entries: Set<OutputKey> = []
  /// Whether `sentence_embedding` is divided by its length, for a folder that has the Normalize module.
  public var normalizesSentence = true
  /// What is given in place of `mlm_logits`; nil: all of them.
  public var predictions: TokenPredictions?
  /// Whose vectors `colbert` has.
  public var scored = ScoredTokens()
  /// Tokens that get no weight in a `sparse_embedding`.
  public var unweighted: Set<Int32> = []
  /// The blocks whose outputs are wanted, all rows of each.
  public var blocks: BlockSet

  /// - Parameter keys: other than those of blocks' outputs.
  public init(_ keys: [OutputKey] = [], blocks: BlockSet = BlockSet()) {
    self.blocks = blocks
    for key in keys { insert(key) }
  }

  /// - Precondition: the key is not one of blocks' outputs, which are asked for by their indices.
  public mutating func insert(_ key: OutputKey) {
    precondition(key != .sequenceOutput && key != .encoderOutputs, "blocks are asked for by index")
    entries.insert(key.canonical)
  }

  public func contains(_ key: OutputKey) -> Bool { entries.contains(key.canonical) }

  /// Whether a row a token is wanted of anything.
  public var hasTokenRows: Bool { !blocks.isEmpty || entries.contains { $0.part != .text } }
}
