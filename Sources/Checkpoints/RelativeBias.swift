/// A bias on attention's scores by head and by distance from the query to the key, one for all
/// blocks: T5's, as MPNet has it.
///
/// Source: transformers `models/mpnet/modeling_mpnet.py`, `relative_position_bucket`.
public struct RelativeBias: Equatable, Sendable {
  /// Rows of the table, [buckets, A].
  public var bucketCount: Int

  public init(bucketCount: Int) { self.bucketCount = bucketCount }

  /// The buckets that distances have.
  static let usedCount = 32

  /// The table's row for a key so many positions after the query's: each of the 8 shortest distances has
  /// a bucket, longer ones share 8 up to 128, by their logarithm; on both sides.
  public static func bucket(distance: Int) -> Int {
    let magnitude = distance.magnitude
    let side = distance > 0 ? 16 : 0
    guard magnitude >= 8 else { return side + Int(magnitude) }
    // 8 + ⌊8 · log(n / 8) / log(128 / 8)⌋ in whole numbers: ⌊2 · log2 n⌋ + 2.
    let square = min(magnitude, 128) * min(magnitude, 128)
    return side + min(15, 2 + (UInt.bitWidth - 1 - square.leadingZeroBitCount))
  }
}
