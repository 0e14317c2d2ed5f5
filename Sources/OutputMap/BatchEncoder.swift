/// What the batcher knows of an encoder: lanes that are idle or busy, and passes started on them.
public protocol BatchEncoder: Sendable {
  /// Compute threads. Lane i is thread i.
  var laneCount: Int { get }

  /// Starts one pass on the given lanes and returns at once.
  ///
  /// - Parameters:
  ///   - lanes: distinct and idle, at least one: the caller keeps them so until `completion`.
  ///   - completion: called once, on one of the lanes' threads; must not block. The results are in
  ///     the batch's order.
  func encode(
    _ batch: PackedBatch, on lanes: [Int],
    completion: @escaping @Sendable (Result<[EncodedSequence], EncodeError>) -> Void)
}

/// Why a pass gave no answer.
public enum EncodeError: Error, Equatable, Sendable {
  /// The model made a NaN or an infinity: its weights are broken.
  case notFinite(key: OutputKey)
  /// Anything else that the encoder refuses; the message says what to change.
  case unsupported(String)
}
