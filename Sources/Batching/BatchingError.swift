public import EncoderContract

/// Why a request was not taken, or not answered.
public enum BatchingError: Error, Equatable, Sendable {
  /// No sequence was given.
  case empty
  /// One sequence is longer than a pass may be; it would never run.
  case sequenceTooLong(index: Int, tokens: Int, limit: Int)
  /// All sequences together are more than the queue ever holds; waiting does not help.
  case tooLarge(tokens: Int, limit: Int)
  /// The queue has no room now. `retryAfter`: whole seconds, 1 to 60, until it should have, at the
  /// rate at which tokens are being encoded.
  case queueFull(retryAfter: Int)
  /// The queue is finishing what it has and takes nothing new.
  case draining
  /// The request's deadline passed.
  case expired
  /// The encoder took no pass that this request had a part in.
  case encoder(EncodeError)
}

extension BatchingError: CustomStringConvertible {
  /// What happened and what to change.
  public var description: String {
    switch self {
    case .empty:
      "there is nothing to encode: send at least one text"
    case .sequenceTooLong(let index, let tokens, let limit):
      """
      text \(index) has \(tokens) tokens, and a batch holds \(limit): shorten it, or start the \
      server with a larger --max-batch-tokens
      """
    case .tooLarge(let tokens, let limit):
      """
      the request has \(tokens) tokens, and the queue holds \(limit): send it in parts, or start \
      the server with a larger --max-queue-tokens
      """
    case .queueFull(let retryAfter):
      "the queue is full: try again in \(retryAfter) s"
    case .draining:
      "the server is shutting down: send the request to another replica"
    case .expired:
      "the request's deadline passed before all of it was encoded: allow more time or send less"
    case .encoder(let error): error.description
    }
  }
}
