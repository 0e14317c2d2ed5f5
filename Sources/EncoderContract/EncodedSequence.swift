/// The entries of the output map that were asked for, of one sequence with S rows.
public struct EncodedSequence: Sendable {
  /// S, padding rows included.
  public var rowCount: Int
  /// [H]; empty if not asked for.
  public var pooled: [Float] = []
  /// [D]; empty if not asked for.
  public var sentence: [Float] = []
  /// Block index → its output, [S, H] row by row.
  public var blocks: [Int: [Float]] = [:]
  /// Why the entries are not to be used; its neighbours in the batch are fine without it.
  public var failure: EncodeError?

  public init(rowCount: Int) { self.rowCount = rowCount }
}
