/// Why a vocabulary was refused. Lines are counted from 1, as editors do.
public enum VocabularyError: Error, Equatable, Sendable, CustomStringConvertible {
  /// More bytes than any BERT vocabulary has.
  case tooLarge(bytes: Int, limit: Int)
  case invalidUTF8(line: Int)
  /// Two lines hold one token, so that one of the two ids could never be reached.
  case duplicate(token: String, line: Int, firstLine: Int)
  /// A token that every BERT input needs.
  case missing(token: String)

  public var description: String {
    switch self {
    case .tooLarge(let bytes, let limit):
      "the vocabulary has \(bytes) bytes, more than the \(limit) that are read: "
        + "it should be a text file with one token a line"
    case .invalidUTF8(let line):
      "line \(line) of the vocabulary is not UTF-8"
    case .duplicate(let token, let line, let firstLine):
      "line \(line) of the vocabulary repeats the token \"\(token)\" of line \(firstLine): "
        + "each token needs a line of its own"
    case .missing(let token):
      "the vocabulary has no \(token): it should be the vocab.txt of a BERT model"
    }
  }
}
