import EncoderContract
import Testing

@testable import Tokenizers

/// What is wrong with a `tokenizer.json` is said with its place: files that Hugging Face's
/// `tokenizers` wrote, with one thing changed.
@Suite struct TokenizerFileRefusalTests {
  struct Change: CustomStringConvertible, Sendable {
    var file: String
    /// What stands in the file, and what stands there instead.
    var old: String
    var new: String
    var message: String

    init(_ file: String, _ old: String, _ new: String, _ message: String) {
      (self.file, self.old, self.new, self.message) = (file, old, new, message)
    }

    var description: String { "\(file): \(new.prefix(60))" }
  }

  /// - Parameter name: of a row of tokenizers.json.
  private static func file(
    _ name: String, replacing old: String, with new: String
  ) throws -> [UInt8] {
    let row = try #require(TokenizerFileTests.rows.first { $0.name == name })
    var bytes = Array(row.file.utf8)
    let place = try #require(bytes.firstRange(of: Array(old.utf8)))
    bytes.replaceSubrange(place, with: Array(new.utf8))
    return bytes
  }

  private static func message(_ bytes: [UInt8]) -> String {
    do throws(TokenizerFileError) {
      _ = try Tokenizer(json: bytes)
      return "none"
    } catch {
      return "\(error)"
    }
  }

  private static let ids = "must be an integer from 0 to 16777216"
  private static let needed =
    "which every input needs: the files are not those of one BERT model"

  private static let longToken = String(repeating: "x", count: 1025)
  private static let manySteps = Array(repeating: #"{"type":"NFD"}"#, count: 65)
    .joined(separator: ",")
  private static let longMap = "BAAAAAAAAABh" + String(repeating: "YWFh", count: 700)

  static let tokens = [
    Change("bert", #""model":{"#, #""models":{"#, "model is missing"),
    Change("bert", #""vocab":{"#, #""words":{"#, "model.vocab is missing"),
    Change("bert", #""[PAD]":0"#, #""[PAD]":"0""#, #"model.vocab of "[PAD]" \#(ids), is a string"#),
    Change("bert", #""[PAD]":0"#, #""[PAD]":0.5"#, #"model.vocab of "[PAD]" \#(ids), is a number"#),
    Change("bert", #""[PAD]":0"#, #""[PAD]":-1"#, #"model.vocab of "[PAD]" \#(ids), is a number"#),
    Change(
      "bert", #""[PAD]":0"#, #""[PAD]":4000000000"#,
      #"model.vocab of "[PAD]" \#(ids), is a number"#),
    Change(
      "bert", #""[PAD]":0"#, #""[PAD]":16000000"#,
      "model.vocab has an id 16000000 and only 667 tokens"),
    Change("bert", #""[UNK]":1"#, #""[UNK]":0"#, "model.vocab gives the id 0 to two tokens"),
    Change(
      "bert", #""unk_token":"[UNK]""#, #""unk_token":"[NONE]""#,
      "the vocabulary has no [NONE], \(needed)"),
    Change(
      "bert", #""max_input_chars_per_word":100"#, #""max_input_chars_per_word":1000000000"#,
      "model.max_input_chars_per_word must be an integer from 1 to 100000, is a number"),
    Change(
      "bert", #""[PAD]":0"#, #""\#(longToken)":0"#,
      #"the token that begins with "\#(longToken.prefix(32))" has 1025 bytes, more than 1024"#),
    Change(
      "bert", #""id":4,"content":"[MASK]""#, #""id":9,"content":"[MASK]""#,
      "added_tokens[4].id is 9, and 4 in model.vocab"),
    Change(
      "bert", #""id":4,"content":"[MASK]""#, #""id":5000000,"content":"new""#,
      "added_tokens[4].id is 5000000: the next id after those before it is 667"),
    Change(
      "bert", #""id":4,"content":"[MASK]""#, #""id":4,"content":"""#,
      "added_tokens[4].content must have 1 to 1024 bytes"),
    Change(
      "bytes", #"[["u","n"]"#, #"[["u","nope"]"#,
      #"model.merges[0] merges "u" and "nope": one of them or both together are not in model.vocab"#
    ),
    Change(
      "bytes", #"[["u","n"]"#, #"[["u","n","e"]"#,
      "model.merges[0] must be two tokens, is an array"),
    Change("bytes", #"[["u","n"]"#, "[7", "model.merges[0] must be two tokens, is a number"),
    Change("bytes", #""merges":["#, #""pairs":["#, "model.merges is missing"),
    Change("bytes", #""!":4,"#, "", "the vocabulary has no !, \(needed)"),
    Change(
      "unigram", #"["<s>",0.0]"#, #"["<s>"]"#,
      "model.vocab[0] must be a token and its score, is an array"),
    Change(
      "unigram", #"["<s>",0.0]"#, #"["<s>",1e999]"#,
      "model.vocab[0][1] must be a finite number, is a number"),
    Change(
      "unigram", #""unk_id":3"#, #""unk_id":99999"#,
      "model.unk_id must be an integer from 0 to 523, is a number"),
  ]

  static let steps = [
    Change(
      "bert", #""type":"WordPiece","unk_token""#, #""type":"Words","unk_token""#,
      #"model.type: "Words" is not supported\#(otherModels)"#),
    Change(
      "bert", #""type":"BertNormalizer""#, #""type":"Bert""#,
      #"normalizer: a normalizer of type "Bert" is not supported; serve the model with transformers"#
    ),
    Change(
      "bert", #""lowercase":true"#, #""lowercase":"yes""#,
      "normalizer.lowercase must be true or false, is a string"),
    Change(
      "bert", #""normalizer":{"#,
      #""normalizer":{"type":"Sequence","normalizers":[\#(manySteps)]},"old":{"#,
      "normalizer has over 64 steps"),
    Change(
      "bert", #""normalizer":{"#,
      #""normalizer":{"type":"Prepend","prepend":"\#(longToken)"},"o":{"#,
      "normalizer.prepend must have at most 1024 bytes"),
    Change(
      "bert", #""pre_tokenizer":{"#, #""pre_tokenizer":7,"old":{"#,
      "pre_tokenizer.type must be a string, is null"),
    Change(
      "bert", #""ids":[2]"#, #""ids":[9999]"#,
      "post_processor.special_tokens.[CLS].ids[0] must be an integer from 0 to 666, is a number"),
    Change(
      "bert", #""special_tokens":{"#, #""tokens":{"#,
      "post_processor.special_tokens.[CLS].ids must be a list, is null"),
    Change(
      "bytes", #""dropout":null"#, #""dropout":0.1"#,
      "model.dropout: BPE with a value here is not supported\(otherModels)"),
    Change(
      "bytes", #""ignore_merges":false"#, #""byte_fallback":true"#,
      "model.byte_fallback: SentencePiece's BPE, with true here, is not supported\(otherModels)"),
    Change(
      "bytes", #""pre_tokenizer":{"#, #""truncation":{"direction":"Left"},"pre_tokenizer":{"#,
      "truncation.direction is not \"Right\": set it to \"Right\", and ask for truncate=left"),
    Change(
      "bytes", #""pre_tokenizer":{"#, #""padding":{"direction":"Left"},"pre_tokenizer":{"#,
      "padding.direction is not \"Right\": tokens after padding would have other positions; "
        + "set it to \"Right\""),
    Change(
      "bytes", #""pre_tokenizer":{"type":"ByteLevel""#, #""pre_tokenizer":{"type":"Whitespace""#,
      "model.type: BPE without ByteLevel as the last pre_tokenizer, as SentencePiece's, "
        + "is not supported\(otherModels)"),
    Change(
      "unigram", #""byte_fallback":false"#, #""byte_fallback":true"#,
      "model.byte_fallback: true is not supported; serve the model with transformers"),
    Change(
      "unigram", #""replacement":"▁""#, #""replacement":"ab""#,
      "pre_tokenizer.replacement must be one character"),
    // A trie of 16 MB that is not there; one unit, and a text of 2,101 bytes.
    Change(
      "unigram", #""precompiled_charsmap":"AAQA"#, #""precompiled_charsmap":"/P//"#,
      "normalizer.precompiled_charsmap is not a map of characters"),
    Change(
      "unigram", #""normalizer":{"#,
      #""normalizer":{"type":"Precompiled","precompiled_charsmap":"\#(longMap)"},"old":{"#,
      "normalizer.precompiled_charsmap is not a map of characters"),
  ]

  private static let otherModels =
    "; give a model whose tokenizer.json has WordPiece, Unigram or byte-level BPE as RoBERTa's"

  @Test(arguments: tokens + steps)
  func places(_ change: Change) throws {
    let bytes = try Self.file(change.file, replacing: change.old, with: change.new)
    #expect(Self.message(bytes) == change.message)
  }

  @Test(arguments: ["bert", "unigram", "bytes"])
  func cutAnywhere(_ name: String) throws {
    let row = try #require(TokenizerFileTests.rows.first { $0.name == name })
    let bytes = Array(row.file.utf8)
    for count in stride(from: 0, to: bytes.count, by: 61) {
      let message = Self.message(Array(bytes.prefix(count)))
      #expect(message.hasPrefix("the JSON text ends too early, after "), "\(count): \(message)")
    }
  }

  @Test func nested() throws {
    let opening = #"{"type":"Sequence","normalizers":["#
    let nest = String(repeating: opening, count: 5000) + String(repeating: "]}", count: 5000)
    let bytes = try Self.file(
      "bert", replacing: #""normalizer":{"#, with: #""normalizer":\#(nest),"old":{"#)
    #expect(Self.message(bytes).hasSuffix("more than 64 arrays and objects inside one another"))
  }

  /// Sets of three children that leave holes where no two fit, then two by two: memory stays in
  /// proportion to the file.
  @Test func memoryOfChosenTokens() throws {
    var tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    for letter in "ijklmnopqrstuvwxyz" { tokens += ["`", "a", "b"].map { "\(letter)\($0)" } }
    for number in 0..<4096 {
      let bits = (0..<12).map { number >> $0 & 1 == 0 ? "a" : "b" }
      tokens.append("A" + bits.joined())
    }
    let bytes = Array(tokens.joined(separator: "\n").utf8)
    let vocabulary = try Vocabulary(lines: bytes)
    #expect(vocabulary.trie.nodes.count < bytes.count)
    for (id, token) in tokens.enumerated() { #expect(vocabulary.id(of: token) == Int32(id)) }
  }
}
