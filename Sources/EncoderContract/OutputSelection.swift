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
  /// The pooler's vector (`default`, `pooled_output`).
  public var pooled: Bool
  /// The sentence-transformers vector (`sentence_embedding`).
  public var sentence: Bool
  /// Whether that vector is divided by its length, for a folder that has the Normalize module.
  public var normalizesSentence = true
  /// The blocks whose outputs are wanted, all rows of each.
  public var blocks: BlockSet

  public init(pooled: Bool = false, sentence: Bool = false, blocks: BlockSet = BlockSet()) {
    self.pooled = pooled
    self.sentence = sentence
    self.blocks = blocks
  }
}
