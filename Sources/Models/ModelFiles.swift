public import Checkpoints
public import EncoderContract

/// What a model folder holds, opened but not yet computed with.
public struct ModelFiles: Sendable {
  public let path: String
  public let checkpoint: Checkpoint
  /// Nil if the folder has none.
  public let sentenceModules: SentenceModules?
  public let tokenizerFiles: TokenizerConfiguration
  /// What to tell whoever starts this where nothing in the folder says whether text is lower-cased.
  let caseNote: String?

  /// - Parameters:
  ///   - path: of the folder.
  ///   - lowercases: for folders that do not say it; nil: by the look of the vocabulary, or the
  ///     framework's default.
  /// - Throws: what is wrong with which file, and what to do.
  public init(_ path: String, lowercases: Bool? = nil) throws {
    self.path = path
    let folder = try SentenceModules.encoderFolder(of: path)
    checkpoint = try Checkpoint(folder: folder)
    sentenceModules = try SentenceModules.read(folder: path)
    let size = checkpoint.configuration.hiddenSize
    if let modules = sentenceModules, let file = modules.fileWithWrongSizes(hiddenSize: size) {
      throw LoadingError(
        "\(path)/\(file): the modules (\(modules.summary)) do not fit one another and a hidden "
          + "size of \(size): their sizes, and the pooling_mode of a Pooling, must be of one model")
    }
    var tokenizerFiles = try TokenizerConfiguration(folder: folder)
    if let path = checkpoint.vocabularyPath { tokenizerFiles.vocabularyPath = path }
    caseNote = Self.settleCase(&tokenizerFiles, checkpoint, lowercases)
    self.tokenizerFiles = tokenizerFiles
    try checkSparse(setting: sentenceModules?.sparse)
  }

  /// Throws if sparse vectors are to be made and there is nothing to make them of.
  public func checkSparse(setting sparse: SparsePooling?) throws {
    guard sparse != nil, checkpoint.maskedLM.head == nil else { return }
    throw LoadingError(
      "\(path) gives no sparse_embedding, which pooling splade makes of a masked-LM head: "
        + checkpoint.maskedLM.absence)
  }

  /// Whether text is lower-cased: what the folder says, else the setting, else the look of the
  /// vocabulary or the framework's default.
  ///
  /// - Returns: nil if the folder says it.
  private static func settleCase(
    _ files: inout TokenizerConfiguration, _ checkpoint: Checkpoint, _ setting: Bool?
  ) -> String? {
    if let lowercases = checkpoint.lowercases, !checkpoint.guessesCase {
      files.lowercases = lowercases
      return nil
    }
    guard files.lowercases == nil, [.bert, .mpnet].contains(files.family),
      files.tokenizerPath == nil
    else {
      return nil
    }
    let name = files.vocabularyPath.flatMap { $0.split(separator: "/").last } ?? "vocab.txt"
    let (lowercases, because) =
      if let setting {
        (setting, "as the setting letter_case says")
      } else if let guess = checkpoint.lowercases {
        (guess, "by the look of \(name): it is a guess")
      } else {
        (true, "the default of its framework: it is a guess")
      }
    files.lowercases = lowercases
    return "the folder does not say do_lower_case; it is taken for \(lowercases), \(because). The "
      + "setting letter_case (lower, keep) decides it, or "
      + "{\"do_lower_case\": true or false} in tokenizer_config.json"
  }

  /// TensorFlow Hub's preprocessors pad to 128 tokens unless told otherwise.
  public var padsRows: Bool { checkpoint.format == .savedModel }

  /// The most tokens of a text that the folder itself names: sentence-transformers' limit if it has
  /// one, else the tokenizer's, else its preprocessor's, else the positions; never more than those.
  public var maxTokens: Int {
    let positions = checkpoint.configuration.positionCount
    let limit =
      sentenceModules?.maximumSequenceLength ?? tokenizerFiles.maximumLength
      ?? checkpoint.textLength ?? (padsRows ? 128 : nil)
    return max(2, min(limit ?? positions, positions))
  }
}

/// Why a folder cannot be served.
public struct LoadingError: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
