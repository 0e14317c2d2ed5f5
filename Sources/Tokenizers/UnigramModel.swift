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
  /// Whether sums of scores are float32, as in SentencePiece itself: in a long text that decides.
  private let roundsSums: Bool
  /// The most bytes of a token.
  private let longest: Int

  /// - Parameter longest: the most bytes of a token.
  init(_ trie: TokenTrie, scores: [Double], unknown: Int32, longest: Int) {
    self.trie = trie
    self.scores = scores
    self.unknown = unknown
    self.longest = longest
    unknownScore = (scores.min() ?? 0) - 10
    roundsSums = false
  }

  /// SentencePiece's own, with its scores and sums.
  ///
  /// Source: sentencepiece `unigram_model.cc`, `EncodeOptimized`.
  ///
  /// - Parameters:
  ///   - trie: of the pieces that a text can have.
  ///   - longest: the most bytes of one.
  init(sentencePiece pieces: [SentencePiece], _ trie: TokenTrie, unknown: Int32, longest: Int) {
    let normal = pieces.lazy.filter(\.isNormal).map(\.score)
    // SentencePiece's largest score begins at FLT_MIN.
    let highest = max(normal.max() ?? 0, .leastNormalMagnitude)
    scores = pieces.map {
      $0.isUserDefined ? Double(Float($0.text.utf8.count) * highest) - 0.1 : Double($0.score)
    }
    unknownScore = Double((normal.min() ?? 0) - 10)
    roundsSums = true
    (self.trie, self.unknown, self.longest) = (trie, unknown, longest)
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

  private func rounded(_ sum: Double) -> Double { roundsSums ? Double(Float(sum)) : sum }

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
        let sum = scores[Int(id)] + score
        word.offer(sum, id, start..<tokenEnd, kept: rounded(sum))
        reach = max(reach, tokenEnd)
        if tokenEnd == end { isKnown = true }
      }
      if !isKnown {
        let sum = rounded(unknownScore + score)
        word.offer(sum, unknown, start..<end, kept: sum)
      }
      (word.reach, word.start) = (reach, end)
    } while word.start < limit
      && (word.start < word.reach || word.start - word.taken < UnigramWord.bytesKept)
  }
}
