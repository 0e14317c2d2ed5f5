#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What queries and keys have to do with the distance between them, as DeBERTa has it: a table of
/// distances, one for all blocks, goes through layers of each block to rows that are multiplied with
/// queries, and to rows that are multiplied with keys.
///
/// Source: He et al., DeBERTa; transformers `models/deberta_v2/modeling_deberta_v2.py`.
public struct DisentangledAttention: Equatable, Sendable {
  /// Whether queries are multiplied with rows of distances (`c2p`), and keys (`p2c`).
  public var hasKeys: Bool
  public var hasQueries: Bool
  /// Rows of the table for distances on one side; those of the other are as many.
  public var reach: Int
  /// Whether farther distances share rows, by their logarithm, up to this one; nil: each has its own.
  public var longest: Int?
  /// Whether a layer norm comes before the layers.
  public var hasNorm: Bool
  /// Whether the layers are those that make the block's queries and keys.
  public var sharesLayers: Bool

  public init(
    hasKeys: Bool = true, hasQueries: Bool = true, reach: Int, longest: Int? = nil,
    hasNorm: Bool = true, sharesLayers: Bool = true
  ) {
    self.hasKeys = hasKeys
    self.hasQueries = hasQueries
    self.reach = reach
    self.longest = longest
    self.hasNorm = hasNorm
    self.sharesLayers = sharesLayers
  }

  public var rowCount: Int { 2 * reach }

  /// The table's row for a key so many positions after the query: it never grows with the distance.
  public func row(distance: Int) -> Int {
    max(0, min(2 * reach - 1, reach - bucket(distance)))
  }

  /// In float32, as PyTorch computes it whatever the model's precision.
  private func bucket(_ distance: Int) -> Int {
    let middle = reach / 2
    guard let longest, distance.magnitude > middle else { return distance }
    let far = logf(Float(distance.magnitude) / Float(middle))
    let farthest = logf(Float(Double(longest - 1) / Double(middle)))
    let steps = (far / farthest * Float(middle - 1)).rounded(.up)
    // At most some thousands for the longest text that a configuration may have.
    return (Int(steps) + middle) * distance.signum()
  }
}
