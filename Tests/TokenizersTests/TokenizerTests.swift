import EncoderContract
import TestSupport
import Testing

@testable import Tokenizers

@Suite struct TokenizerTests {
  private static let pieces = [
    "goldfish", "Bicycle", "unbelievability", " ", "  ", "\t", ",", "[SEP]", "[", "é", "e\u{301}",
    "中", "한", "\u{200B}", "\u{7}", "qzqz", "\u{1B44}", "\u{334}", "𝅘𝅥𝅮", "x",
    String(repeating: "y", count: 101),
  ]

  private static func text(_ generator: inout SeededGenerator) -> String {
    (0..<Int.random(in: 0...40, using: &generator)).reduce(into: "") { text, _ in
      text += pieces.randomElement(using: &generator) ?? ""
    }
  }

  /// Whatever is kept is an end of the whole, and refusals count the whole.
  @Test func truncationKeepsAnEnd() throws {
    let tokenizer = try Support.tokenizer()
    for seed in 1...300 as ClosedRange<UInt64> {
      var generator = SeededGenerator(seed: seed)
      let input = TokenizerInput.single(Self.text(&generator))
      let whole = try tokenizer.tokenize(input, maxTokens: 100_000, withSources: true)
      let limit = Int.random(in: 2...60, using: &generator)
      let right = try tokenizer.tokenize(input, maxTokens: limit, withSources: true)
      let left = try tokenizer.tokenize(
        input, maxTokens: limit, truncation: .left, withSources: true)
      let kept = min(whole.sequence.count, limit) - 1
      let isLong = whole.sequence.count > limit
      #expect(right.truncated == isLong && left.truncated == isLong, "seed \(seed)")
      #expect(right.sequence.ids.dropLast() == whole.sequence.ids.prefix(kept), "seed \(seed)")
      #expect(right.sources.dropLast() == whole.sources.prefix(kept), "seed \(seed)")
      #expect(left.sequence.ids.dropFirst() == whole.sequence.ids.suffix(kept), "seed \(seed)")
      #expect(left.sources.dropFirst() == whole.sources.suffix(kept), "seed \(seed)")
      if isLong {
        #expect(throws: TokenizerError.tooLong(count: whole.sequence.count, limit: limit)) {
          try tokenizer.tokenize(input, maxTokens: limit, truncation: .error)
        }
      }
    }
  }

  /// Sources are cut at characters, lie in the text and never go back.
  @Test func sourcesAreOrderedCharacters() throws {
    for options in ["1n11", "0n11", "0000", "1010", "0111"] {
      let tokenizer = try Support.tokenizer(options)
      for seed in 1...200 as ClosedRange<UInt64> {
        var generator = SeededGenerator(seed: seed)
        let text = Self.text(&generator)
        let bytes = Array(text.utf8) + [0]
        let answer = try tokenizer.tokenize(
          .single(text), maxTokens: 100_000, withSources: true)
        var last = 0
        for source in answer.sources.compactMap(\.self) {
          let range = source.bytes
          #expect(range.lowerBound >= last && !range.isEmpty, "\(options) seed \(seed)")
          #expect(bytes[range.lowerBound] & 0xC0 != 0x80 && bytes[range.upperBound] & 0xC0 != 0x80)
          // Two tokens of one syllable of Hangul share its bytes.
          last = range.lowerBound
        }
        #expect(last < bytes.count)
      }
    }
  }

  @Test func smallestLimits() throws {
    let tokenizer = try Support.tokenizer()
    let one = try tokenizer.tokenize(.single("a b"), maxTokens: 2)
    #expect(one.sequence.ids == [101, 102] && one.truncated)
    let two = try tokenizer.tokenize(.pair("a", "b"), maxTokens: 3, padTo: 5)
    #expect(two.sequence.ids == [101, 102, 102, 0, 0] && two.sequence.typeIDs == [0, 0, 1, 0, 0])
    #expect(two.sequence.attendedCount == 3)
    for truncation in [Truncation.right, .left, .error] {
      let all = try tokenizer.tokenize(
        .pair("a", "b"), maxTokens: .max, truncation: truncation, padTo: 2)
      #expect(all.sequence.ids == [101, 1037, 102, 1038, 102] && !all.truncated)
    }
    #expect(throws: TokenizerError.limitTooSmall(limit: 1, least: 2)) {
      try tokenizer.tokenize(.single(""), maxTokens: 1)
    }
    #expect(throws: TokenizerError.limitTooSmall(limit: 2, least: 3)) {
      try tokenizer.tokenize(.pair("", ""), maxTokens: 2)
    }
    #expect(throws: TokenizerError.limitTooSmall(limit: -1, least: 2)) {
      try tokenizer.tokenize(.words([]), maxTokens: -1)
    }
  }

  /// Long runs of what is costly one by one: each answer is known.
  @Test func hostileTexts() throws {
    let tokenizer = try Support.tokenizer()
    let count = 30_000
    func ids(_ text: String, limit: Int = 1_000_000) throws -> [Int32] {
      let answer = try tokenizer.tokenize(.single(text), maxTokens: limit, withSources: true)
      return Array(answer.sequence.ids.dropFirst().dropLast())
    }
    func repeated(_ text: String) -> String { String(repeating: text, count: count) }
    #expect(try ids(repeated("a")) == [100])
    #expect(try ids(repeated("[")) == Array(repeating: 1031, count: count))
    #expect(try ids(repeated("[MASK]")) == Array(repeating: 103, count: count))
    #expect(try ids(repeated("\u{301}")).isEmpty)
    #expect(try ids(repeated("\u{0}")).isEmpty)
    #expect(try ids(repeated(" ")).isEmpty)
    #expect(try ids("a" + repeated("\u{301}") + "b") == [11113])
    #expect(try ids("a" + repeated("\u{301}\u{1B44}")) == [100])
    #expect(try ids(repeated("中")) == Array(repeating: 1746, count: count))
    #expect(try ids(repeated("a "), limit: 12) == Array(repeating: 1037, count: 10))
    let words = try tokenizer.tokenize(
      .words(Array(repeating: "a", count: count)), maxTokens: 1_000_000, withSources: true)
    #expect(words.sequence.count == count + 2 && words.sources[count]?.part == count - 1)
  }
}
