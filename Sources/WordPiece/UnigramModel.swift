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

  init(_ trie: TokenTrie, scores: [Double], unknown: Int32) {
    self.trie = trie
    self.scores = scores
    self.unknown = unknown
    unknownScore = (scores.min() ?? 0) - 10
  }

  /// The best way to a byte.
  private struct Step {
    var score = 0.0
    var start: Int32 = -1
    var id: Int32 = 0
  }

  /// Appends the tokens of a word that is not empty; unknown characters in a row are one token.
  func append(_ text: AlignedText, _ word: Range<Int>, to run: inout TokenRun) {
    var bytes: [UInt8] = []
    /// The scalar of each byte.
    var scalars: [Int] = []
    for index in word {
      UTF8Text.append(text.scalars[index], to: &bytes)
      while scalars.count < bytes.count { scalars.append(index) }
    }
    for piece in pieces(of: bytes.span) {
      let range = scalars[piece.range.lowerBound]..<scalars[piece.range.upperBound - 1] + 1
      run.append(piece.id, text.source(of: range))
    }
    run.dropExcess()
  }

  private func pieces(of bytes: Span<UInt8>) -> [(id: Int32, range: Range<Int>)] {
    var best = [Step](repeating: Step(), count: bytes.count + 1)
    func offer(_ score: Double, _ id: Int32, _ range: Range<Int>) {
      let step = best[range.upperBound]
      if step.start < 0 || score > step.score {
        best[range.upperBound] = Step(score: score, start: Int32(range.lowerBound), id: id)
      }
    }
    var start = 0
    while start < bytes.count {
      let (_, end) = UTF8Text.scalar(in: bytes, at: start)
      let score = best[start].score
      var isKnown = false
      trie.forEachToken(in: bytes, from: start) { id, tokenEnd in
        offer(scores[Int(id)] + score, id, start..<tokenEnd)
        if tokenEnd == end { isKnown = true }
      }
      if !isKnown { offer(unknownScore + score, unknown, start..<end) }
      start = end
    }
    var pieces: [(id: Int32, range: Range<Int>)] = []
    var end = bytes.count
    while end > 0 {
      let step = best[end]
      let start = Int(step.start)
      if step.id == unknown, let last = pieces.last, last.id == unknown {
        pieces[pieces.count - 1].range = start..<last.range.upperBound
      } else {
        pieces.append((step.id, start..<end))
      }
      end = start
    }
    return pieces.reversed()
  }
}
