/// Cuts a word into the longest tokens there are, from left to right.
struct WordPieceModel: Sendable {
  /// The longest word that is cut; a longer one is unknown, whatever it holds.
  struct Limit: Sendable, Equatable {
    var count = 100
    /// UTF-8 bytes, else characters (scalars).
    var isInBytes = false
  }

  let trie: TokenTrie
  let unknown: Int32
  var limit = Limit()

  /// Appends the word's tokens, or the unknown one if it cannot be cut, and empties it.
  func append(_ word: inout NormalizedWord, to run: inout TokenRun) {
    guard !word.isEmpty else { return }
    defer {
      word.removeAll()
      run.dropExcess()
    }
    guard !word.isOverLimit else {
      run.append(unknown, word.source)
      return
    }
    let count = run.ids.count
    let bytes = word.bytes.span
    var start = 0
    var root = TokenTrie.wordStart
    while start < bytes.count {
      guard let piece = trie.longestToken(in: bytes, from: start, below: root) else {
        run.rollBack(to: count)
        run.append(unknown, word.source)
        return
      }
      run.append(piece.id, word.source(of: start..<piece.end))
      start = piece.end
      root = TokenTrie.continuation
    }
  }
}
