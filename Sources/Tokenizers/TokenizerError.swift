/// Why a text was refused.
public enum TokenizerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Truncation is off, and the text has more tokens than allowed, special ones included.
  case tooLong(count: Int, limit: Int)
  /// The special tokens alone are more than the limit.
  case limitTooSmall(limit: Int, least: Int)
  /// The caller's `mayRead` said so.
  case cancelled

  public var description: String {
    switch self {
    case .tooLong(let count, let limit):
      "the text has \(count) tokens, \(limit) are allowed: shorten it, or let it be truncated"
    case .limitTooSmall(let limit, let least):
      "\(limit) tokens are too few: the special tokens alone are \(least)"
    case .cancelled:
      "the text was given up before all of it was tokenized"
    }
  }
}
