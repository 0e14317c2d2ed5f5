import FoundationEssentials

/// SplitMix64 (Steele, Lea, Flood 2014), so that a seed names a run.
public struct SeededGenerator: RandomNumberGenerator {
  /// What tests of random input begin with: the same each time, so that a failure comes back,
  /// unless `BERT_TEST_SEED` names another to look further.
  public static let seed =
    ProcessInfo.processInfo.environment["BERT_TEST_SEED"].flatMap { UInt64($0) } ?? 0x5EED

  private var state: UInt64

  public init(seed: UInt64 = Self.seed) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
