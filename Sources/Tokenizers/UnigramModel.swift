/// SentencePiece's unigram language model: of all ways to cut a word into tokens the one whose
/// scores have the largest sum (Kudo 2018, found as Viterbi 1967 does).
///
/// Complexity: O(n · m) for n bytes of a word and tokens of up to m.
struct UnigramModel: Sendable {
  let trie: TokenTrie
  /// Logarithms of probabilities, by id.
  let scores: [Double]
  let unknown: Int32
  /// Of a character that is no token.
  private let unknownScore: Double
  /// The most bytes of a token.
  private let longest: Int

  /// - Parameter longest: the most bytes of a token.
  init(_ trie: TokenTrie, scores: [Double], unknown: Int32, longest: Int) {
    self.trie = trie
    self.scores = scores
    self.unknown = unknown
    self.longest = longest
    unknownScore = (scores.min() ?? 0) - 10
  }

  /// Appends what is known of the word's tokens, all of them if it is not open: then it is empty
  /// afterwards.
  func appendTokens(of word: inout UnigramWord, isOpen: Bool, to run: inout TokenRun) {
    while !run.isComplete {
      // Which tokens begin at a byte is known only with all of their bytes.
      let limit = isOpen ? word.bytes.count - longest : word.bytes.count
      guard word.start < limit else { break }
      // Whether a long word is still wanted; a short one is read at once.
      if word.bytes.count > 1 << 16 { run.willRead(0) }
      advance(&word, to: limit)
      if word.start == word.reach { word.takeTokens(unknown, to: &run) }
    }
    if !isOpen { word.end(unknown, to: &run) }
  }

  /// Up to the limit, or to a place that all ways go through: what comes changes nothing before it.
  private func advance(_ word: inout UnigramWord, to limit: Int) {
    let bytes = word.bytes
    repeat {
      let start = word.start
      let (_, end) = UTF8Text.scalar(in: bytes.span, at: start)
      let score = word.score(at: start)
      var isKnown = false
      var reach = max(word.reach, end)
      trie.forEachToken(in: bytes.span, from: start) { id, tokenEnd in
        word.offer(scores[Int(id)] + score, id, start..<tokenEnd)
        reach = max(reach, tokenEnd)
        if tokenEnd == end { isKnown = true }
      }
      if !isKnown { word.offer(unknownScore + score, unknown, start..<end) }
      (word.reach, word.start) = (reach, end)
    } while word.start < limit
      && (word.start < word.reach || word.start - word.taken < UnigramWord.bytesKept)
  }
}
