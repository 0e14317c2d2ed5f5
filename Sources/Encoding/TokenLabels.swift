import EncoderContract
package import Tokenizers

/// What transformers' token-classification pipeline makes of the logits of a text's tokens: spans of the
/// text with their labels.
///
/// Source: transformers 5.23, `pipelines/token_classification.py`.
package struct TokenLabels {
  /// Which tokens are taken together.
  package enum Aggregation: String, CaseIterable, Sendable {
    /// None: each token has its own label.
    case none
    /// Neighbours with one label, as `B-` and `I-` say it.
    case simple
    /// As `simple`, of words with the label of their first token.
    case first
    /// Of words with the label of the largest mean.
    case average
    /// Of words with the label of the largest number.
    case max
  }

  package struct Span: Equatable {
    package var label: String
    package var score: Float
    /// Of the token, where each is alone.
    package var index: Int?
    package var word: String
    /// Unicode scalars of the text.
    package var characters: Range<Int>
  }

  private struct Token {
    var index: Int
    var word: String
    var scores: [Float]
    var characters: Range<Int>
    var continuesWord: Bool
  }

  private let tokens: [Token]
  private let labels: [String]
  private let tokenizer: Tokenizer

  /// - Parameters:
  ///   - tokens: of `text`, with sources.
  ///   - logits: [S, labels]
  package init(
    of text: String, _ tokens: Tokenization, logits: [Float], labels: [String],
    _ tokenizer: Tokenizer
  ) {
    self.labels = labels
    self.tokenizer = tokenizer
    let bytes = Array(text.utf8)
    var place = ScalarPlace()
    self.tokens = tokens.sources.indices.compactMap { index in
      guard let source = tokens.sources[index] else { return nil }
      let id = tokens.sequence.ids[index]
      let start = place.index(of: source.bytes.lowerBound, in: bytes)
      let end = place.index(of: source.bytes.upperBound, in: bytes)
      let part = String(decoding: bytes[source.bytes], as: UTF8.self)
      var word = tokenizer.vocabulary.token(id) ?? ""
      var continuesWord: Bool
      if tokenizer.hasContinuationPrefix {
        continuesWord = word.unicodeScalars.count != end - start
      } else {
        let space = UInt8(ascii: " ")
        let before = source.bytes.lowerBound
        continuesWord =
          before > 0 && bytes[before - 1] != space
          && (before == bytes.count || bytes[before] != space)
      }
      if id == tokenizer.unknownID {
        word = part
        continuesWord = false
      }
      return Token(
        index: index, word: word,
        scores: ScoreFunction.softmax.probabilities(
          of: Array(logits[index * labels.count..<(index + 1) * labels.count])),
        characters: start..<end, continuesWord: continuesWord)
    }
  }

  package func spans(_ aggregation: Aggregation) -> [Span] {
    switch aggregation {
    case .none, .simple:
      let spans = tokens.map { token in
        span([token], token.word, token.scores, index: aggregation == .none ? token.index : nil)
      }
      return aggregation == .none ? spans : groups(spans)
    case .first, .average, .max: return groups(words.map { span($0, aggregation) })
    }
  }

  private var words: [[Token]] {
    var words: [[Token]] = []
    for token in tokens {
      if token.continuesWord, !words.isEmpty {
        words[words.count - 1].append(token)
      } else {
        words.append([token])
      }
    }
    return words
  }

  private func span(
    _ tokens: [Token], _ word: String, _ scores: [Float], index: Int? = nil
  ) -> Span {
    let best = Self.best(scores)
    return Span(
      label: labels[best], score: scores[best], index: index, word: word,
      characters: Self.range(tokens[0].characters, tokens[tokens.count - 1].characters))
  }

  private func span(_ word: [Token], _ aggregation: Aggregation) -> Span {
    let scores: [Float] =
      switch aggregation {
      case .average:
        labels.indices.map { label in
          Float(word.reduce(0.0) { $0 + Double($1.scores[label]) } / Double(word.count))
        }
      case .max:
        word.reduce(word[0].scores) { ($0.max() ?? 0) >= ($1.scores.max() ?? 0) ? $0 : $1.scores }
      default: word[0].scores
      }
    return span(word, tokenizer.text(of: word.map(\.word)), scores)
  }

  private static func best(_ scores: [Float]) -> Int {
    scores.indices.reduce(0) { scores[$1] > scores[$0] ? $1 : $0 }
  }

  /// A token of the text may come before one whose place is earlier.
  private static func range(_ first: Range<Int>, _ last: Range<Int>) -> Range<Int> {
    first.lowerBound..<Swift.max(first.lowerBound, last.upperBound)
  }

  // MARK: Groups of neighbours

  private func groups(_ spans: [Span]) -> [Span] {
    var groups: [[Span]] = []
    for span in spans {
      if let last = groups.last?.last, Self.tag(span) == Self.tag(last),
        !span.label.utf8.starts(with: "B-".utf8)
      {
        groups[groups.count - 1].append(span)
      } else {
        groups.append([span])
      }
    }
    return groups.map { group in
      Span(
        // Everything behind the first "-", whatever is before it.
        label: group[0].label.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
          .last.map(String.init) ?? "",
        score: Float(group.reduce(0.0) { $0 + Double($1.score) } / Double(group.count)),
        word: tokenizer.text(of: group.map(\.word)),
        characters: Self.range(group[0].characters, group[group.count - 1].characters))
    }
  }

  private static func tag(_ span: Span) -> Substring {
    let isMarked = ["B-", "I-"].contains { span.label.utf8.starts(with: $0.utf8) }
    return isMarked ? Substring(span.label.unicodeScalars.dropFirst(2)) : Substring(span.label)
  }
}

/// Counts a text's Unicode scalars from one place to the next.
private struct ScalarPlace {
  private var byte = 0
  private var scalar = 0

  /// - Parameter end: in UTF-8 bytes.
  mutating func index(of end: Int, in bytes: [UInt8]) -> Int {
    func count(_ range: Range<Int>) -> Int { bytes[range].count { $0 & 0xC0 != 0x80 } }
    scalar += end >= byte ? count(byte..<end) : -count(end..<byte)
    byte = end
    return scalar
  }
}
