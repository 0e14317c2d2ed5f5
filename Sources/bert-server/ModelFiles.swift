import Checkpoints
import Foundation
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
    let vocabulary = try Vocabulary(lines: Array(Data(contentsOf: URL(fileURLWithPath: path))))
    let rows = checkpoint.configuration.vocabularySize
    guard vocabulary.count <= rows else {
      throw LoadingError(
        "\(path) has \(vocabulary.count) tokens and the word embeddings have \(rows) rows: they are "
          + "of different models")
    }
    return WordPieceTokenizer(vocabulary: vocabulary, options: tokenizerOptions)
  }

  private var tokenizerOptions: WordPieceOptions {
    var options = WordPieceOptions()
    options.lowercase = tokenizerFiles.lowercases || sentenceModules?.lowercases == true
    options.stripAccents = tokenizerFiles.stripsAccents
    options.spacesAroundCJK = tokenizerFiles.splitsChineseCharacters
    return options
  }
}

/// Why a folder cannot be served.
struct LoadingError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
