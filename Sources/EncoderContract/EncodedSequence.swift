/// The entries of the output map that were asked for, of one sequence with S rows.
public struct EncodedSequence: Sendable {
  /// S, padding rows included.
  public var rowCount: Int
  /// What is made of the last block's output, by canonical key: a row of numbers, or one a token.
  private var entries: [OutputKey: [Float]] = [:]
  /// Block index → its output, [S, H] row by row.
  public var blocks: [Int: [Float]] = [:]
  /// What was asked for in place of `mlm_logits`.
  public var predicted = PredictedTokens()
  /// Why the entries are not to be used; its neighbours in the batch are fine without it.
  public var failure: EncodeError?

  public init(rowCount: Int) { self.rowCount = rowCount }

  /// An entry other than the blocks' outputs; empty if not asked for.
  public subscript(key: OutputKey) -> [Float] {
    get { entries[key.canonical] ?? [] }
    set { entries[key.canonical] = newValue }
  }
}
