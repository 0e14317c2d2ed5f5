import EncoderContract
import TestSupport
import Testing

@testable import Tokenizers

@Suite struct VocabularyTests {
  private static let needed = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]

  private static func vocabulary(
    _ tokens: [String], lineEnd: String = "\n"
  ) throws(TokenizerFileError) -> Vocabulary {
    try Vocabulary(lines: tokens.flatMap { Array($0.utf8) + Array(lineEnd.utf8) })
  }

  @Test func everyLineOfARealFile() throws {
    let vocabulary = try Support.vocabulary.get()
    let lines = String(decoding: Support.vocabularyBytes, as: UTF8.self).split(separator: "\n")
    #expect(vocabulary.count == 30522 && lines.count == 30522)
    for (id, line) in lines.enumerated() {
      #expect(vocabulary.id(of: String(line)) == Int32(id))
      #expect(vocabulary.token(Int32(id)).map { Array($0.utf8) } == Array(line.utf8))
    }
    for absent in ["", "##", "##zzzz", "goldfis", "[MASK]x", "\u{0}"] {
      #expect(vocabulary.id(of: absent) == nil, "\(absent)")
    }
    #expect(vocabulary.token(-1) == nil && vocabulary.token(30522) == nil)
  }

  /// As `tokenizers` reads the file; TensorFlow keeps it.
  @Test func whiteSpaceAtTheEndOfALine() throws {
    let tokens = Self.needed + ["fish ", "a\t \u{3000}", "b\u{A0}", "\u{2028}", "c d", "é\u{200B}"]
    let bytes = Array(tokens.joined(separator: "\n").utf8)
    let trimmed = try Vocabulary(lines: bytes, lastCounts: true)
    #expect((4..<10).map { trimmed.token($0) } == ["fish", "a", "b", "", "c d", "é\u{200B}"])
    #expect(trimmed.id(of: "fish") == 4 && trimmed.id(of: "") == nil)
    #expect(try Vocabulary(lines: bytes).token(4) == "fish ")
  }

  /// Of two ids of a token the last counts; a token that gets a new spelling has that one alone.
  @Test func addedTokens() throws {
    var vocabulary = try Self.vocabulary(Self.needed)
    for (token, id) in [("A", 4), ("A", 5), ("B", 6), ("[SEP]", 7)] {
      vocabulary.add(Array(token.utf8), id: id)
    }
    #expect(["A", "B", "C", "[SEP]"].map(vocabulary.addedID) == [5, 6, nil, 3])
    vocabulary.add(Array("a".utf8), id: 5)
    #expect(["A", "a"].map(vocabulary.addedID) == [4, 5])
    #expect((4..<8).map { vocabulary.token($0) } == ["A", "a", "B", "[SEP]"])
  }

  @Test func lineEnds() throws {
    let tokens = Self.needed + ["", "a", "##a", "##", "", "é"]
    for lineEnd in ["\n", "\r\n"] {
      let vocabulary = try Self.vocabulary(tokens, lineEnd: lineEnd)
      #expect(vocabulary.count == 10)
      #expect(tokens.indices.map { vocabulary.token(Int32($0)) } == tokens)
      #expect(vocabulary.id(of: "##") == 7 && vocabulary.id(of: "é") == 9)
      #expect(vocabulary.id(of: "") == nil)
    }
    let unended = try Vocabulary(lines: Array("[PAD]\n[UNK]\n[CLS]\n[SEP]".utf8))
    #expect(unended.count == 4 && unended.id(of: "[SEP]") == 3)
  }

  /// The limit holds even for a token of the vocabulary.
  @Test func longTokens() throws {
    let (allowed, over) = (String(repeating: "x", count: 100), String(repeating: "y", count: 101))
    let tokenizer = try Tokenizer(
      vocabulary: try Self.vocabulary(Self.needed + [allowed, over]))
    let answer = try tokenizer.tokenize(.single("\(allowed) \(over)"), maxTokens: 10)
    #expect(answer.sequence.ids == [2, 4, 1, 3])
  }

  @Test func refusals() {
    for (index, token) in Self.needed.enumerated() {
      var others = Self.needed
      others.remove(at: index)
      #expect(throws: TokenizerFileError.missing(token: token)) {
        try Tokenizer(vocabulary: Self.vocabulary(others))
      }
    }
    #expect(throws: TokenizerFileError.missing(token: "[UNK]")) {
      try Tokenizer(vocabulary: Vocabulary(lines: []))
    }
    #expect(throws: TokenizerFileError.duplicate(token: "##ab", id: 6, firstID: 4)) {
      try Self.vocabulary(Self.needed + ["##ab", "ab", "##ab"])
    }
    let long = String(repeating: "x", count: 20)
    #expect(throws: TokenizerFileError.duplicate(token: long, id: 5, firstID: 4)) {
      try Self.vocabulary(Self.needed + [long, long, "y"])
    }
    let lines = Array("[PAD]\n[UNK]\nab\u{0}c\n".utf8)
    #expect(throws: TokenizerFileError.invalidUTF8(line: 4)) {
      try Vocabulary(lines: lines + [0x61, 0xFF, 0x0A, 0x62])
    }
    let limit = Vocabulary.byteLimit
    #expect(throws: TokenizerFileError.tooLarge(bytes: limit + 1, limit: limit)) {
      try Vocabulary(lines: [UInt8](repeating: 0x61, count: limit + 1))
    }
  }

  /// The trie and the splitting against a dictionary and the loop of BERT's own code, over
  /// vocabularies of few letters, where tokens share beginnings and words fail late.
  @Test func longestMatchAgainstADictionary() throws {
    for seed in 1...40 as ClosedRange<UInt64> {
      var generator = SeededGenerator(seed: seed)
      func word(upTo length: Int) -> String {
        let letters = (1...Int.random(in: 1...length, using: &generator)).map { _ in
          ["a", "b", "c", "é", "世"].randomElement(using: &generator) ?? ""
        }
        return letters.joined()
      }
      var tokens = Self.needed
      for _ in 0..<60 {
        let token = (Bool.random(using: &generator) ? "##" : "") + word(upTo: 5)
        if !tokens.contains(token) { tokens.append(token) }
      }
      let vocabulary = try Self.vocabulary(tokens)
      let tokenizer = try Tokenizer(
        vocabulary: vocabulary,
        options: BERTOptions(lowercase: false, spacesAroundCJK: false))
      for _ in 0..<100 {
        let text = word(upTo: 12)
        let answer = try tokenizer.tokenize(.single(text), maxTokens: 100)
        let expected = Self.pieces(of: text, tokens)
        #expect(
          answer.sequence.ids.dropFirst().dropLast().map(vocabulary.token) == expected,
          "seed \(seed), \(text) of \(tokens)")
      }
    }
  }

  private static func pieces(of word: String, _ tokens: [String]) -> [String] {
    let characters = Array(word)
    var pieces: [String] = []
    var start = 0
    while start < characters.count {
      let ends = (start + 1...characters.count).reversed()
      let prefix = start > 0 ? "##" : ""
      guard
        let end = ends.first(where: { tokens.contains(prefix + String(characters[start..<$0])) })
      else { return ["[UNK]"] }
      pieces.append(prefix + String(characters[start..<end]))
      start = end
    }
    return pieces
  }
}
