/// What the batcher knows of an encoder: threads that are idle or busy, and passes started on them.
public protocol BatchEncoder: Sendable {
  /// Compute threads, by their indices from 0.
  var threadCount: Int { get }

  /// Starts one pass on the given threads and returns at once.
  ///
  /// - Parameters:
  ///   - threads: distinct and idle, at least one: the caller keeps them so until `completion`.
  ///   - completion: called once, on one of the threads; must not block. The results are in
  ///     the batch's order, each with a failure of its own if it has one; a failure of the whole is
  ///     a batch that cannot be encoded.
  func encode(
    _ batch: PackedBatch, on threads: [Int],
    completion: @escaping @Sendable (Result<[EncodedSequence], EncodeError>) -> Void)
}

/// Why there is no answer for a sequence, or for a batch.
public enum EncodeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The model made a NaN or an infinity: its weights are broken.
  case notFinite(key: OutputKey)
  /// Anything else that the encoder refuses; the message says what to change.
  case unsupported(String)

  /// What happened and what to change.
  public var description: String {
    switch self {
    case .notFinite(let key):
      "the model made a NaN or an infinity in \(key.rawValue): its weights are broken, load "
        + "another copy"
    case .unsupported(let reason): reason
    }
  }
}
