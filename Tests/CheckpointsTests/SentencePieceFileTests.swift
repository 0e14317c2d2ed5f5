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

  private func read(_ bytes: [UInt8]) throws(CheckpointError) -> SentencePieceFile {
    try SentencePieceFile(FileBytes(path: "x.model", start: 0, bytes: bytes))
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
      ([0x0a, 3, 0x0a, 1, 0x61, 0x0a, 5, 0x0a, 1, 0x62, 0x18, 6], "one of bytes"),
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
