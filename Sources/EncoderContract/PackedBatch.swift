/// Several sequences laid end to end: R rows and no padding between them, so that the cost of a
/// pass is its real tokens.
public struct PackedBatch: Sendable {
  /// Vocabulary ids, [R].
  public private(set) var ids: [Int32] = []
  /// Segments, [R].
  public private(set) var typeIDs: [Int32] = []
  /// First row of each of the B sequences, and R at the end: [B + 1].
  public private(set) var offsets: [Int] = [0]
  /// Positions of each sequence that may be attended to, [B].
  public private(set) var attendedCounts: [Int] = []
  /// What each sequence is encoded for, [B].
  public private(set) var selections: [OutputSelection] = []

  /// The most rows of a pass, but for a model whose longest text has more.
  ///
  /// A packed pass runs at the same share of the machine's peak from about a hundred rows on, so a
  /// larger one gains no speed; it only makes a text that comes next wait longer.
  public static let usualRows = 1024

  /// The most rows of a pass for each of its threads, of `threadCount` in all; a longer sequence is a pass too.
  ///
  /// Two threads have whole passes of `limit` rows side by side. More threads share the rows of two, down to
  /// as many as a pass needs for its speed: a thread adds little memory.
  public static func maxThreadRows(of threadCount: Int, upTo limit: Int) -> Int {
    max(min(limit, 128), limit / max(1, threadCount / 2))
  }

  /// Whether a sequence of so many rows joins a pass of `rows`: the first always does.
  public static func takes(_ next: Int, after rows: Int, upTo limit: Int) -> Bool {
    rows == 0 || next <= limit - rows
  }

  public init() {}

  public mutating func append(_ sequence: TokenSequence, for selection: OutputSelection) {
    ids += sequence.ids
    typeIDs += sequence.typeIDs
    offsets.append(ids.count)
    attendedCounts.append(sequence.attendedCount)
    selections.append(selection)
  }

  /// B, the number of sequences.
  public var count: Int { selections.count }
  /// R, the number of rows.
  public var rowCount: Int { ids.count }
  /// The rows of one sequence.
  public func rows(of sequence: Int) -> Range<Int> { offsets[sequence]..<offsets[sequence + 1] }
}
