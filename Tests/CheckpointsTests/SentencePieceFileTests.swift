import FoundationEssentials
import TestSupport
import Testing

@testable import Checkpoints

/// A SentencePiece model's bytes: read, or refused with the file's name.
struct SentencePieceFileTests {
  static let bytes = Result {
    // What `make fuzz` starts from.
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = tests.appending(path: "Fuzz/Corpora/sentencepiece/xlm-roberta")
    return [UInt8](try Data(contentsOf: file))
  }

  private func read(
    _ bytes: [UInt8], for reader: SentencePieceFile.Reader = .transformers
  ) throws(CheckpointError) -> SentencePieceFile {
    try SentencePieceFile(
      FileBytes(path: "x.model", start: 0, bytes: bytes), for: reader)
  }

  @Test func pieces() throws {
    let file = try read(Self.bytes.get())
    #expect(file.pieces.prefix(3).map(\.text) == ["<unk>", "<s>", "</s>"])
    #expect(file.pieces.prefix(4).map(\.kind) == [.unknown, .control, .control, .normal])
    #expect(file.pieces[3].score < 0)
    #expect(!file.characterMap.isEmpty)
  }

  /// Appended fields count, as protobuf has it.
  @Test(
    arguments: [
      ([0x12, 2, 0x18, 2], "a model of BPE"), ([0x12, 3, 0x98, 2, 1], "byte_fallback 1"),
      ([0x1a, 2, 0x20, 0], "remove_extra_whitespaces 0"),
      ([0x0a, 3, 0x0a, 1, 0x61, 0x0a, 5, 0x0a, 1, 0x62, 0x18, 6], "of a byte (byte_fallback)"),
      (
        [0x0a, 3, 0x0a, 1, 0x61, 0x0a, 5, 0x0a, 1, 0x62, 0x18, 7],
        "has the type 7, must have 1 to 6"
      ),
      ([0x0a, 5, 0x0a, 1, 0x62, 0x18, 2], "one piece for what is unknown"),
      ([0x0a, 3, 0x0a, 1, 0xff], "not UTF-8"), ([0x0a, 0], "must have a text"),
      ([0x0a, 8, 0x0a, 1, 0x62, 0x15, 0, 0, 0x80, 0x7f], "finite score"),
      ([0x0a, 9, 0x0a], "are needed"),
    ] as [([UInt8], String)])
  func refusals(_ added: [UInt8], _ reason: String) throws {
    let bytes = try Self.bytes.get() + added
    let error = try #require(throws: CheckpointError.self) { try read(bytes) }
    #expect(error.message.hasPrefix("x.model") && error.message.contains(reason))
  }

  /// DeBERTa's class takes the pieces alone; only what is no Unigram model is refused.
  @Test func optionsThatDoNotCount() throws {
    let options: [UInt8] = [0x12, 3, 0x98, 2, 1, 0x12, 3, 0xC0, 2, 5, 0x1a, 2, 0x20, 0]
    let piece: [UInt8] = [0x0a, 5, 0x0a, 1, 0x62, 0x18, 6]
    let bytes = try Self.bytes.get()
    let file = try read(bytes + options + piece, for: .transformersPiecesAlone)
    #expect(file.pieces.last == .init(text: "b", score: 0, kind: .byte))
    #expect(file.unknownID == 5)
    #expect(try read(bytes, for: .transformersPiecesAlone).unknownID == 0)
    let below: [UInt8] = [0x12, 12, 0xC0, 2] + Array(repeating: 0xFF, count: 9) + [1]
    #expect(try read(bytes + below, for: .transformersPiecesAlone).unknownID == nil)
    for bad: [UInt8] in [[0x12, 2, 0x18, 2], [0x0a, 5, 0x0a, 1, 0x62, 0x18, 7]] {
      #expect(throws: CheckpointError.self) { try read(bytes + bad, for: .transformersPiecesAlone) }
    }
  }

  private static let decoder = #""added_tokens_decoder": {"9": {"content": "<x>"}}"#

  private func debertas(
    _ main: String, _ map: String, _ added: String
  ) throws -> TokenizerConfiguration {
    let folder = try TemporaryFolder()
    try folder.write("x", to: "spm.model")
    try folder.write(#"{"model_type": "deberta-v2"}"#, to: "config.json")
    try folder.write(main, to: "tokenizer_config.json")
    try folder.write(map, to: "special_tokens_map.json")
    try folder.write(added, to: "added_tokens.json")
    let tokens = try TokenizerConfiguration(folder: folder.path)
    #expect(tokens.sentencePiecePath == folder.path + "/spm.model")
    return tokens
  }

  /// What of DeBERTa's files counts.
  @Test func debertasTokens() throws {
    for (main, map, added) in [
      ("{}", "{}", #"{"<x>": 9}"#),
      ("{\(Self.decoder)}", #"{"mask_token": null}"#, #"{"<x>": "?"}"#),
    ] {
      #expect(try debertas(main, map, added).addedTokens?["<x>"]?.id == 9)
    }
    let tokens = try debertas(#"{"bos_token": "<b>"}"#, #"{"bos_token": "<c>"}"#, "{}")
    #expect(tokens.beginToken == "<c>" && tokens.additionalTokens == ["<c>"])
  }

  /// What leaves the tokens open.
  @Test(
    arguments: [
      (#"{"mask_token": null}"#, "{}", "{}", #""mask_token" must be a token"#),
      ("{}", #"{"extra_special_tokens": ["<x>"]}"#, "{}", "only with a tokenizer.json"),
      (
        #"{"additional_special_tokens": [], "extra_special_tokens": []}"#, "{}", "{}",
        "take one of them out"
      ),
      (
        #"{"added_tokens_decoder": {"8": {"content": "<x>"}, "9": {"content": "<x>"}}}"#, "{}",
        "{}",
        "must not have a token twice"
      ),
      ("{}", "{}", #"{"<x>": "9"}"#, #""<x>" must be an id from 0"#),
      ("{}", "{}", #"{"<x>": -1}"#, #""<x>" must be an id from 0"#),
      (
        #"{"sep_token": {"content": "[SEP]", "lstrip": true}}"#, "{}", "{}",
        #"the token "[SEP]" has two names"#
      ),
    ])
  func refusalsOfDebertasTokens(
    _ main: String, _ map: String, _ added: String, _ reason: String
  ) throws {
    let error = try #require(throws: CheckpointError.self) { try debertas(main, map, added) }
    #expect(error.message.contains(reason), "\(error.message)")
  }

  /// A list in the folder's files keeps pieces from being sought, tokens with names of their own do not.
  @Test(
    arguments: [
      ("{}", false), (#"{"extra_special_tokens": []}"#, true),
      (#"{"additional_special_tokens": null}"#, true),
      (#"{"extra_special_tokens": {"x_token": "<x>"}}"#, false),
    ])
  func lists(_ main: String, _ listed: Bool) throws {
    let folder = try TemporaryFolder()
    try folder.write("x", to: "spm.model")
    try folder.write(#"{"model_type": "deberta-v2"}"#, to: "config.json")
    try folder.write(main, to: "tokenizer_config.json")
    #expect(try TokenizerConfiguration(folder: folder.path).listsAdditionalTokens == listed)
  }

  /// The class says which file it reads; a `tokenizer.json` goes before.
  @Test func sentencePieceModels() throws {
    let folder = try TemporaryFolder()
    try folder.write("x", to: "sentencepiece.bpe.model")
    for (name, family) in [
      ("XLMRobertaTokenizer", TokenizerConfiguration.Family.xlmRoberta),
      ("CamembertTokenizerFast", .camembert),
    ] {
      try folder.write(
        #"{"tokenizer_class": "\#(name)", "mask_token": {"content": "<m>", "lstrip": true}}"#,
        to: "tokenizer_config.json")
      let configuration = try TokenizerConfiguration(folder: folder.path)
      #expect(configuration.family == family)
      #expect(configuration.sentencePiecePath == folder.path + "/sentencepiece.bpe.model")
      #expect(configuration.namedTokens["<m>"]?.stripsLeft == true)
    }
    try folder.write(#"{"tokenizer_class": "AlbertTokenizer"}"#, to: "tokenizer_config.json")
    #expect(throws: CheckpointError.self) { try TokenizerConfiguration(folder: folder.path) }
    try folder.write("{}", to: "tokenizer.json")
    #expect(try TokenizerConfiguration(folder: folder.path).sentencePiecePath == nil)
  }

  @Test func noMutationCrashes() throws {
    var random = SeededGenerator(seed: SeededGenerator.seed)
    let original = try Self.bytes.get()
    for _ in 0..<2_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random)
      }
      do {
        _ = try read(bytes)
      } catch {
        #expect(error.message.hasPrefix("x.model"), "seed \(SeededGenerator.seed)")
      }
    }
  }
}
