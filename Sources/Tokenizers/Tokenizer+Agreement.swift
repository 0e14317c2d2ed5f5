/// How a token that is added to the model's is sought in a text: `AddedToken` in `tokenizers`.
public struct AddedTokenFlags: Equatable, Sendable {
  public var stripsLeft: Bool
  public var stripsRight: Bool
  public var singleWord: Bool
  public var isNormalized: Bool

  public init(stripsLeft: Bool, stripsRight: Bool, singleWord: Bool, isNormalized: Bool) {
    self.stripsLeft = stripsLeft
    self.stripsRight = stripsRight
    self.singleWord = singleWord
    self.isNormalized = isNormalized
  }

  init(_ token: AddedTokens.Token) {
    self.init(
      stripsLeft: token.stripsLeft, stripsRight: token.stripsRight, singleWord: token.singleWord,
      isNormalized: token.isNormalized)
  }
}

extension Tokenizer {
  /// Whether it puts these tokens round a text, and round and between two, as BERT does, or RoBERTa.
  public func frames(with classification: String, _ separator: String, asRoBERTa: Bool) -> Bool {
    guard let start = vocabulary.addedID(of: classification),
      let end = vocabulary.addedID(of: separator)
    else { return false }
    return template
      == (asRoBERTa
        ? TokenTemplate(robertaStart: start, end: end)
        : TokenTemplate(classification: start, separator: end))
  }
}
