/// One text as the encoder reads it: S positions, special tokens included.
public struct TokenSequence: Equatable, Sendable {
  /// Vocabulary ids, [S].
  public var ids: [Int32]
  /// Segment of each position, [S]: 0 for the first text of a pair, 1 for the second.
  public var typeIDs: [Int32]
  /// Positions that may be attended to: a prefix of the S. Those from here on are padding:
  /// keys to nobody, but rows of the answer.
  public var attendedCount: Int

  /// - Precondition: as many ids as type ids, and at least one of them attended to.
  public init(ids: [Int32], typeIDs: [Int32], attendedCount: Int? = nil) {
    precondition(ids.count == typeIDs.count, "each id has a type id")
    self.ids = ids
    self.typeIDs = typeIDs
    self.attendedCount = attendedCount ?? ids.count
    precondition((1...ids.count).contains(self.attendedCount), "1 to S positions are attended to")
  }

  /// S, padding included.
  public var count: Int { ids.count }
}
