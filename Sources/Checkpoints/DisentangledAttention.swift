#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Disentangled attention: scores also depend on the relative position of key and query. A table of
/// relative embeddings, one for all blocks, goes through layers of each block; queries are multiplied with the
/// one result (content to position), keys with the other (position to content).
///
/// Source: He et al., DeBERTa; transformers `models/deberta_v2/modeling_deberta_v2.py`.
public struct DisentangledAttention: Equatable, Sendable {
  /// Whether scores have the term content to position (`c2p`), and position to content (`p2c`).
  public var hasKeys: Bool
  public var hasQueries: Bool
  /// Rows of the table for distances to one side; there are as many for the other.
  public var bucketCount: Int
  /// The distance up to which farther ones share rows, by their logarithm; nil: each has its own.
  public var maxDistance: Int?
  /// Whether a layer norm comes before the layers.
  public var hasNorm: Bool
  /// Whether the layers are those that make the block's queries and keys.
  public var sharesLayers: Bool

  public init(
    hasKeys: Bool = true, hasQueries: Bool = true, bucketCount: Int, maxDistance: Int? = nil,
    hasNorm: Bool = true, sharesLayers: Bool = true
  ) {
    self.hasKeys = hasKeys
    self.hasQueries = hasQueries
    self.bucketCount = bucketCount
    self.maxDistance = maxDistance
    self.hasNorm = hasNorm
    self.sharesLayers = sharesLayers
  }

  public var rowCount: Int { 2 * bucketCount }

  /// The table's row for a key so many positions after the query; it does not increase with the distance.
  public func row(distance: Int) -> Int {
    max(0, min(2 * bucketCount - 1, bucketCount - bucket(distance)))
  }

  /// In float32, as PyTorch computes it at every precision of the model.
  private func bucket(_ distance: Int) -> Int {
    let middle = bucketCount / 2
    guard let maxDistance, distance.magnitude > middle else { return distance }
    let far = logf(Float(distance.magnitude) / Float(middle))
    let farthest = logf(Float(Double(maxDistance - 1) / Double(middle)))
    let steps = (far / farthest * Float(middle - 1)).rounded(.up)
    // At most about 1.1 · 10^9, with the largest values that the limits allow; `row` clamps it.
    return (Int(steps) + middle) * distance.signum()
  }
}
