extension WordPieceTokenizer {
  /// Text that the tokens could come from, as the WordPiece decoder of Hugging Face's `tokenizers`
  /// writes it: a space before each token that begins a word, but for punctuation that leans on
  /// the word before it.
  ///
  /// - Parameters:
  ///   - ids: those that the vocabulary does not have are left out.
  ///   - skipSpecialTokens: leave `[CLS]` and its like out.
  public func decode(_ ids: some Sequence<Int32>, skipSpecialTokens: Bool = true) -> String {
    let leaning = [".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"]
    var text = ""
    var isFirst = true
    for id in ids where !(skipSpecialTokens && namedTokens.contains { $0.id == id }) {
      guard let token = vocabulary.token(id) else { continue }
      if isFirst {
        text = token
      } else if token.utf8.starts(with: TokenTrie.continuationPrefix) {
        text.unicodeScalars += token.unicodeScalars.dropFirst(2)
      } else {
        if !leaning.contains(where: { token.utf8.starts(with: $0.utf8) }) { text += " " }
        text += token
      }
      isFirst = false
    }
    return text
  }
}
