public import Checkpoints
public import EncoderContract

extension Checkpoint {
  /// Keys of the map that the folder's own framework does not give, though they could be computed.
  public var absentKeys: Set<OutputKey> {
    guard let keys else { return [] }
    return Set(
      OutputKey.allCases.filter { $0 != .sentenceEmbedding && !keys.contains($0.rawValue) })
  }
}
