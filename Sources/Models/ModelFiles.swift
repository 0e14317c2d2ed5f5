public import Checkpoints

/// What a model folder holds, opened but not yet computed with.
public struct ModelFiles: Sendable {
  public let path: String
  public let checkpoint: Checkpoint
  /// Nil if the folder has none.
  public let sentenceModules: SentenceModules?
  public let tokenizerFiles: TokenizerConfiguration

  /// - Throws: what is wrong with which file, and what to do.
  public init(_ path: String) throws {
    self.path = path
    let folder = try SentenceModules.encoderFolder(of: path)
    checkpoint = try Checkpoint(folder: folder)
    sentenceModules = try SentenceModules.read(folder: path)
    let size = checkpoint.configuration.hiddenSize
    if let modules = sentenceModules, modules.embeddingSize(hiddenSize: size) == nil {
      throw LoadingError(
        "modules.json: the modules (\(modules.summary)) do not fit one another and a hidden size "
          + "of \(size)")
    }
    var tokenizerFiles = try TokenizerConfiguration(folder: folder)
    if let lowercases = checkpoint.lowercases { tokenizerFiles.lowercases = lowercases }
    if let path = checkpoint.vocabularyPath { tokenizerFiles.vocabularyPath = path }
    self.tokenizerFiles = tokenizerFiles
  }

  /// What to tell whoever starts this: nothing in the folder says whether text is lower-cased.
  public var caseGuess: String? {
    guard checkpoint.guessesCase, let lowercases = tokenizerFiles.lowercases else { return nil }
    return "do_lower_case is taken for \(lowercases), by the look of vocab.txt; "
      + "{\"do_lower_case\": true or false} in tokenizer_config.json decides it"
  }

  /// TensorFlow Hub's preprocessors pad to 128 tokens unless told otherwise.
  public var padsRows: Bool { checkpoint.format == .savedModel }

  /// The most tokens of a text that the folder itself names: sentence-transformers' limit if it has
  /// one, else the tokenizer's, else its preprocessor's, else the positions; never more than those.
  public var maxTokens: Int {
    let positions = checkpoint.configuration.positionCount
    let limit =
      sentenceModules?.maximumSequenceLength ?? tokenizerFiles.maximumLength
      ?? (padsRows ? 128 : nil)
    return max(2, min(limit ?? positions, positions))
  }
}

/// Why a folder cannot be served.
public struct LoadingError: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
