import Checkpoints

/// What a model folder holds, opened but not yet computed with.
struct ModelFiles {
  let path: String
  let checkpoint: Checkpoint
  let sentence: SentenceModules.Support
  let tokenizerFiles: TokenizerConfiguration

  init(_ path: String) throws {
    self.path = path
    let folder = try SentenceModules.encoderFolder(of: path)
    checkpoint = try Checkpoint(folder: folder)
    sentence = try SentenceModules.read(folder: path)
      .fitting(hiddenSize: checkpoint.configuration.hiddenSize)
    var tokenizerFiles = try TokenizerConfiguration(folder: folder)
    if let lowercases = checkpoint.lowercases { tokenizerFiles.lowercases = lowercases }
    if let path = checkpoint.vocabularyPath { tokenizerFiles.vocabularyPath = path }
    self.tokenizerFiles = tokenizerFiles
  }

  /// The modules, if they are there and computed.
  var sentenceModules: SentenceModules? {
    if case .supported(let modules) = sentence { modules } else { nil }
  }

  /// TensorFlow Hub's preprocessors pad to 128 tokens unless told otherwise.
  var padsRows: Bool { checkpoint.format == .savedModel }

  /// The most tokens of a text that the folder itself names: sentence-transformers' limit if it has
  /// one, else the tokenizer's, else its preprocessor's, else the positions; never more than those.
  var maxTokens: Int {
    let positions = checkpoint.configuration.positionCount
    let limit =
      sentenceModules?.maximumSequenceLength ?? tokenizerFiles.maximumLength
      ?? (padsRows ? 128 : nil)
    return max(2, min(limit ?? positions, positions))
  }
}

/// Why a folder cannot be served.
struct LoadingError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
