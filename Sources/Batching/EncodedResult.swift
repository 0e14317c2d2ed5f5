public import EncoderContract

/// A request to the batch queue, unique in the life of the process.
public struct RequestID: Hashable, Sendable {
  let number: UInt64
}

/// One text of a request: its tokens and what is wanted of it.
public struct BatchItem: Sendable {
  public var sequence: TokenSequence
  public var selection: OutputSelection

  public init(_ sequence: TokenSequence, for selection: OutputSelection) {
    self.sequence = sequence
    self.selection = selection
  }
}

/// One text's part of the output map, and where its time went.
public struct EncodedResult: Sendable {
  public var sequence: EncodedSequence
  /// From the submit to the start of the pass.
  public var queueTime: Duration
  /// The pass, shared with the sequences that were in it.
  public var encodeTime: Duration
}

/// What a request hears of.
///
/// A request of n items hears `encoded` n times, once per index in any order; or fewer times and
/// then `failed` once. Nothing comes after the n-th `encoded` or after `failed`.
public enum BatchEvent: Sendable {
  case encoded(index: Int, EncodedResult)
  /// The request as a whole; indices not heard of so far are lost.
  case failed(BatchingError)
}
