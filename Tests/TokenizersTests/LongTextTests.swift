import EncoderContract
import Synchronization
import TestSupport
import Testing

@testable import Tokenizers

/// A long text costs what its answer needs: it is read in parts, which change no token, and no
/// further than it can matter.
@Suite struct LongTextTests {
  private static let pieces = [
    "Improve", "the", "physical", " ", " ", " ", "  ", "\n", "don't", "we'll", "'s", "'", "CAFÉ",
    "naïve",
    "covid", "covid-19", "foozq", "<mask>", " <mask>", "<s>", "[MASK]", "ab", "abcab", "e ", "in",
    "\u{301}",
    "e\u{301}", "中文中文", "、、", "한국어한국어", "Приветмир", "ελληνικά", "שלוםעולם", "नमस्तेदुनिया", "१२३४",
    "12345", "12,345.67", "...", "!!!!!", "-----", "“", "™", "ﬁ", "　", "\u{AD}", "😀😀😀😀", "👩‍👩‍👧", "▁",
    "a",
    "!'s", "'ll", "বাংলাকলম", "தமிழ்பம", "ಕನ್ನಡಕಲ", "ქართული", "հայերեն", "አማርኛ", "ខ្មែរកក",
    "words", "zqz", "xxxxxxxxxxxxxxxxxxx", "ıİ", "ÀÉÎÕÜàéîõü", "ひらがなひらがな", "カタカナガギグ", "สวัสดีชาวโลก",
    "Việt", "ạảấầẩ",
  ]

  private static func text(_ generator: inout SeededGenerator) -> String {
    (0..<Int.random(in: 1...40, using: &generator)).reduce(into: "") { text, _ in
      text += pieces.randomElement(using: &generator) ?? ""
    }
  }

  /// Cut wherever it may be, a text has the tokens and places that it has as a whole.
  @Test(arguments: TokenizerFileTests.rows)
  func partsChangeNothing(_ row: TokenizerFileTests.Row) throws {
    var whole = try Tokenizer(json: Array(row.file.utf8))
    whole.partSize = .max / 4
    var parts = whole
    parts.partSize = 1
    var generator = SeededGenerator()
    for _ in 0..<200 {
      let input = TokenizerInput.single(Self.text(&generator))
      let all = try whole.tokenize(input, maxTokens: 100_000, withSources: true)
      let found = try parts.tokenize(input, maxTokens: 100_000, withSources: true)
      #expect(found.sequence.ids == all.sequence.ids, "\(input)")
      #expect(found.sources == all.sources, "\(input)")
      #expect(
        try parts.tokenize(input, maxTokens: 100_000).sequence == all.sequence, "\(input)")
      let limit = Int.random(in: 4...20, using: &generator)
      for side in [Truncation.left, .right] {
        let cut = try parts.tokenize(
          input, maxTokens: limit, truncation: side, withSources: true)
        let expected = try whole.tokenize(
          input, maxTokens: limit, truncation: side, withSources: true)
        #expect(cut == expected, "\(side) \(limit) \(input)")
      }
      if all.sequence.count > limit {
        #expect(throws: TokenizerError.tooLong(count: all.sequence.count, limit: limit)) {
          try parts.tokenize(input, maxTokens: limit, truncation: .error)
        }
      }
    }
  }

  /// A word that is read in parts is not looked up by its last part alone, which may be a token that no
  /// merges make.
  @Test func endsOfLongWords() throws {
    let row = try #require(TokenizerFileTests.rows.first { $0.name == "bytes, Llama's words" })
    var parts = try Tokenizer(json: Array(row.file.utf8))
    var whole = parts
    whole.partSize = .max / 4
    for size in 4...11 {
      parts.partSize = size
      for count in 1..<60 {
        let input = TokenizerInput.single(String(repeating: "x", count: count) + "words")
        let found = try parts.tokenize(input, maxTokens: 1000).sequence.ids
        #expect(
          try found == whole.tokenize(input, maxTokens: 1000).sequence.ids, "\(size) \(count)")
      }
    }
  }

  /// The first text of several pairs, read once, gives the same as each pair alone.
  @Test(arguments: TokenizerFileTests.rows)
  func firstTextOfPairs(_ row: TokenizerFileTests.Row) throws {
    let tokenizer = try Tokenizer(json: Array(row.file.utf8))
    var generator = SeededGenerator()
    for _ in 0..<50 {
      let text = Self.text(&generator)
      let limit = Int.random(in: 8...60, using: &generator)
      for side in [Truncation.left, .right] {
        let first = try tokenizer.firstText(
          text, maxTokens: limit, truncation: side, withSources: true)
        for _ in 0..<3 {
          let other = Self.text(&generator)
          #expect(
            try tokenizer.tokenize(other, after: first)
              == tokenizer.tokenize(
                .pair(text, other), maxTokens: limit, truncation: side, withSources: true),
            "\(side) \(limit) \(text) | \(other)")
        }
      }
    }
  }

  /// After it, memory is asked for the second text alone.
  @Test func firstTextIsReadOnce() throws {
    let tokenizer = try Support.tokenizer()
    let long = String(repeating: "a fish ", count: 100_000)
    let first = try tokenizer.firstText(long, maxTokens: 64)
    let reads = Atomic(0)
    _ = try tokenizer.tokenize("a bicycle", after: first) { _ in
      reads.wrappingAdd(1, ordering: .relaxed)
      return true
    }
    #expect(reads.load(ordering: .relaxed) == 1)
  }

  /// A text that normalisers make longer is counted as what it becomes.
  @Test func memoryOfLongerTexts() throws {
    let row = try #require(TokenizerFileTests.rows.first { $0.file.contains("\"NFKC\"") })
    let tokenizer = try Tokenizer(json: Array(row.file.utf8))
    // 18 scalars each.
    let text = String(repeating: "\u{FDFA}", count: 60_000)
    let asked = Atomic(0)
    #expect(throws: TokenizerError.cancelled) {
      try tokenizer.tokenize(.single(text), maxTokens: 64) { memory in
        asked.max(memory, ordering: .relaxed)
        return memory < 1 << 20
      }
    }
    #expect(asked.load(ordering: .relaxed) >= 60_000 * 18 * 64)
  }

  @Test(arguments: ["1n11", "0n11", "1010", "0000"])
  func partsChangeNothing(_ options: String) throws {
    let whole = try Support.tokenizer(options)
    var parts = whole
    parts.partSize = 1
    var generator = SeededGenerator()
    for _ in 0..<200 {
      let input = TokenizerInput.single(Self.text(&generator))
      for side in [Truncation.left, .right] {
        for limit in [5, 30, 100_000] {
          #expect(
            try parts.tokenize(input, maxTokens: limit, truncation: side, withSources: true)
              == whole.tokenize(input, maxTokens: limit, truncation: side, withSources: true),
            "\(options) \(side) \(limit) \(input)")
        }
      }
    }
  }

  /// The kinds of tokenizers that published models have.
  static let kinds = ["bert", "unigram", "unigram of words", "bytes"]
  /// Texts of one kind of words each, 32 KiB long, that can be cut, for parts of a kilobyte.
  static let units = [
    "Improve the physical fitness of your goldfish. ", "улучшить физическую форму ", "身体健康をよくする。",
    "goldfish", "12,345.67\t", "x y z ", "!!!!!!!!",
  ]

  /// Of a text that is cut only its beginning or its end is read.
  @Test(arguments: kinds, units)
  func whatIsCutIsNotRead(_ kind: String, _ unit: String) throws {
    let row = try #require(TokenizerFileTests.rows.first { $0.name == kind })
    var tokenizer = try Tokenizer(json: Array(row.file.utf8))
    tokenizer.partSize = 1 << 10
    let count = (1 << 15) / unit.utf8.count
    // A word of its own at each end, so that the rest is not one word without an end.
    let text = "a b" + String(repeating: unit, count: count) + " b a"
    // An end is found only between words.
    for (side, isBounded) in [(Truncation.right, true), (.left, unit.contains(" "))] {
      let asked = Counter()
      let answer = try tokenizer.tokenize(
        .single(text), maxTokens: 64, truncation: side, mayRead: { _ in !asked.count() })
      // It is asked once for each part. A long unknown word is one token.
      if isBounded, answer.truncated { #expect(asked.value < 8, "\(kind) \(unit) \(side)") }
    }
    #expect(throws: TokenizerError.cancelled) {
      try tokenizer.tokenize(.single(text), maxTokens: 64, mayRead: { _ in false })
    }
  }

  /// Where all of a text is counted, no part of it is large.
  @Test(arguments: kinds, units)
  func whatIsReadIsNotKept(_ kind: String, _ unit: String) throws {
    let row = try #require(TokenizerFileTests.rows.first { $0.name == kind })
    var tokenizer = try Tokenizer(json: Array(row.file.utf8))
    tokenizer.partSize = 1 << 10
    let count = (1 << 15) / unit.utf8.count
    let text = String(repeating: unit, count: count)
    var run = TokenRun(limit: 64, keep: .first(stops: false), hasSources: true)
    tokenizer.appendTokens(of: text, to: &run)
    #expect(run.readCount == text.utf8.count)
    // Of BERT's own steps no more than a word is kept in any case.
    guard kind != "bert" || unit != "goldfish" else { return }
    #expect(run.largestRead <= 2 * tokenizer.partSize, "\(kind) \(unit)")
  }
}

/// Counts how often it is asked.
///
/// `@unchecked Sendable`: the test's own thread alone asks.
private final class Counter: @unchecked Sendable {
  private(set) var value = 0

  /// - Returns: false, so that it is asked again.
  func count() -> Bool {
    value += 1
    return false
  }
}
