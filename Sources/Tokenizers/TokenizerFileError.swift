public import JSON

/// Why a tokenizer's files were refused. Lines are counted from 1, as editors do; places in a
/// `tokenizer.json` are written `model.vocab`.
public enum TokenizerFileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// More bytes than any tokenizer of a BERT model has.
  case tooLarge(bytes: Int, limit: Int)
  case invalidUTF8(line: Int)
  /// Two ids have one token, so that one of the two could never be reached.
  case duplicate(token: String, id: Int, firstID: Int)
  /// A token that would make the search for tokens slow.
  case tokenTooLong(beginning: String, bytes: Int, limit: Int)
  /// A token that every input needs.
  case missing(token: String)
  case json(JSONError)
  /// Something in a `tokenizer.json` that cannot be right.
  case invalid(place: String, reason: String)
  /// Right, but something that this module does not do exactly.
  case unsupported(place: String, what: String)
  /// The same of what cuts words into tokens, for which nothing else can stand in.
  case unsupportedModel(place: String, what: String)

  public var description: String {
    switch self {
    case .tooLarge(let bytes, let limit):
      "the file has \(bytes) bytes, more than the \(limit) that are read"
    case .invalidUTF8(let line):
      "line \(line) of the vocabulary is not UTF-8"
    case .duplicate(let token, let id, let firstID):
      "the vocabulary has the token \"\(token)\" twice, with the ids \(firstID) and \(id) "
        + "(of a vocab.txt the lines \(firstID + 1) and \(id + 1))"
    case .tokenTooLong(let beginning, let bytes, let limit):
      "the token that begins with \"\(beginning)\" has \(bytes) bytes, more than \(limit)"
    case .missing(let token):
      "the vocabulary has no \(token), which every input needs: "
        + "the files are not those of one BERT model"
    case .json(let error):
      error.message
    case .invalid(let place, let reason):
      "\(place) \(reason)"
    case .unsupported(let place, let what):
      "\(place): \(what) is not supported; serve the model with transformers"
    case .unsupportedModel(let place, let what):
      "\(place): \(what) is not supported; give a model whose tokenizer.json has WordPiece, Unigram "
        + "or byte-level BPE as RoBERTa's"
    }
  }
}
