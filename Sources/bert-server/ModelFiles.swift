import Checkpoints
import FoundationEssentials
import WordPiece

/// What a model folder holds, opened but not yet computed with.
struct ModelFiles {
  let path: String
  let checkpoint: Checkpoint
  let sentence: SentenceModules.Support
  let tokenizerFiles: TokenizerConfiguration

  init(_ path: String) throws {
    self.path = path
    checkpoint = try Checkpoint(folder: path)
    sentence = try SentenceModules.read(folder: path)
    tokenizerFiles = try TokenizerConfiguration(folder: path)
  }

  /// The modules, if they are there and computed.
  var sentenceModules: SentenceModules? {
    if case .supported(let modules) = sentence { modules } else { nil }
  }

  /// The most tokens of a text that the folder itself names: sentence-transformers' limit if it has
  /// one, else the tokenizer's, else the positions; never more than the positions.
  var maxTokens: Int {
    let positions = checkpoint.configuration.positionCount
    let limit = sentenceModules?.maximumSequenceLength ?? tokenizerFiles.maximumLength
    return max(2, min(limit ?? positions, positions))
  }

  func tokenizer() throws -> WordPieceTokenizer {
    guard let path = tokenizerFiles.vocabularyPath else {
      throw LoadingError("\(path) has no vocab.txt, which the tokenizer is made of")
    }
    let vocabulary = try Vocabulary(lines: Array(Data(contentsOf: URL(filePath: path))))
    let rows = checkpoint.configuration.vocabularySize
    guard vocabulary.count <= rows else {
      throw LoadingError(
        "\(path) has \(vocabulary.count) tokens and the word embeddings have \(rows) rows: they are "
          + "of different models")
    }
    // Rows are often padded to a round number, but not by more than this.
    guard vocabulary.count > rows - 1024 else {
      throw LoadingError(
        "\(path) has \(vocabulary.count) tokens and the word embeddings have \(rows) rows: the file "
          + "is cut off, or of another model")
    }
    try checkTokenizer()
    return WordPieceTokenizer(
      vocabulary: vocabulary,
      options: WordPieceOptions(
        lowercase: tokenizerFiles.lowercases, stripAccents: tokenizerFiles.stripsAccents,
        spacesAroundCJK: tokenizerFiles.splitsChineseCharacters))
  }

  /// What the tokenizer would not do exactly is refused.
  private func checkTokenizer() throws {
    let files = tokenizerFiles
    let names = [
      (files.padToken, "[PAD]"), (files.unknownToken, "[UNK]"), (files.classToken, "[CLS]"),
      (files.separatorToken, "[SEP]"), (files.maskToken, "[MASK]"),
    ]
    if let (name, expected) = names.first(where: { $0 != $1 }) {
      throw LoadingError(
        "\(path)/tokenizer_config.json names a special token '\(name)'; only BERT's own names are "
          + "supported, here \(expected)")
    }
    if sentenceModules?.lowercases == true, !files.lowercases {
      throw LoadingError(
        "\(path)/sentence_bert_config.json asks for lower-casing before a cased tokenizer, which "
          + "is not supported")
    }
  }
}

/// Why a folder cannot be served.
struct LoadingError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
