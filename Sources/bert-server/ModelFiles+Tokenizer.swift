import Checkpoints
import FoundationEssentials
import WordPiece

extension ModelFiles {
  /// TensorFlow Text's rules for what TensorFlow Hub has, whose preprocessors are that library's.
  var tokenizerRules: TokenizerRules {
    checkpoint.format == .savedModel ? .tensorFlow : .huggingFace
  }

  /// The folder's tokenizer: what `tokenizer.json` says, else `vocab.txt` with the defaults of
  /// transformers' `BertTokenizer`.
  ///
  /// - Parameter rules: TensorFlow Text's need a `vocab.txt`; nil: those of the folder's format.
  func tokenizer(_ rules: TokenizerRules? = nil) throws -> Tokenizer {
    let rules = rules ?? tokenizerRules
    let tokenizer: Tokenizer
    let source: String
    if rules == .huggingFace, let path = tokenizerFiles.tokenizerPath {
      source = path
      tokenizer = try Self.of(path) {
        try Tokenizer(json: Self.bytes(path), padding: tokenizerFiles.padToken)
      }
      try checkAgreement(of: path, tokenizer)
    } else if let path = tokenizerFiles.vocabularyPath {
      source = path
      tokenizer = try Self.of(path) {
        try Tokenizer(
          vocabulary: Vocabulary(lines: Self.bytes(path)), options: options,
          specialTokens: specialTokens, rules: rules)
      }
    } else {
      throw LoadingError(
        rules == .tensorFlow
          ? "\(path) has no vocab.txt, which TensorFlow's rules need"
          : "\(path) has neither tokenizer.json nor vocab.txt, of which a tokenizer is made")
    }
    try check(tokenizer, of: source)
    return tokenizer
  }

  private var options: BERTOptions {
    BERTOptions(
      lowercase: tokenizerFiles.lowercases ?? true, stripAccents: tokenizerFiles.stripsAccents,
      spacesAroundCJK: tokenizerFiles.splitsChineseCharacters ?? true)
  }

  private var specialTokens: SpecialTokens {
    var tokens = SpecialTokens()
    tokens.unknown = tokenizerFiles.unknownToken ?? tokens.unknown
    tokens.separator = tokenizerFiles.separatorToken ?? tokens.separator
    tokens.padding = tokenizerFiles.padToken ?? tokens.padding
    tokens.classification = tokenizerFiles.classToken ?? tokens.classification
    tokens.mask = tokenizerFiles.maskToken ?? tokens.mask
    tokens.others = tokenizerFiles.additionalTokens
    return tokens
  }

  /// `tokenizers` and transformers take each another file's word for BERT's options: where the
  /// files differ there is no one answer.
  private func checkAgreement(of path: String, _ tokenizer: Tokenizer) throws {
    guard tokenizerFiles.isBERT, let options = tokenizer.options else { return }
    let lowercases = tokenizerFiles.lowercases ?? options.lowercase
    let pairs = [
      ("do_lower_case", tokenizerFiles.lowercases, options.lowercase),
      (
        "strip_accents", tokenizerFiles.stripsAccents, options.stripAccents ?? lowercases
      ),
      (
        "tokenize_chinese_chars", tokenizerFiles.splitsChineseCharacters, options.spacesAroundCJK
      ),
    ]
    for (name, stated, actual) in pairs where stated ?? actual != actual {
      throw LoadingError(
        "\(path) does the opposite of what \(name) in tokenizer_config.json says, and libraries "
          + "differ in which of the two they believe: correct the wrong one")
    }
  }

  /// The model must have what the tokenizer gives.
  private func check(_ tokenizer: Tokenizer, of path: String) throws {
    let (count, rows) = (tokenizer.vocabulary.count, checkpoint.configuration.vocabularySize)
    guard count <= rows else {
      throw LoadingError(
        "\(path) has \(count) tokens and the word embeddings have \(rows) rows: they are of "
          + "different models")
    }
    // Rows are often padded to a round number, but not by more than this.
    guard count > rows - 1024 else {
      throw LoadingError(
        "\(path) has \(count) tokens and the word embeddings have \(rows) rows: the file is cut "
          + "off, or of another model")
    }
    let types = checkpoint.configuration.typeCount
    guard tokenizer.highestType(ofPairs: false) < types else {
      throw LoadingError("\(path) gives tokens other types than the \(types) that the model has")
    }
    if sentenceModules?.lowercases == true, !tokenizer.lowercases {
      throw LoadingError(
        "sentence_bert_config.json asks for lower-casing before a cased tokenizer, which is not "
          + "supported")
    }
  }

  private static func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: path)))
  }

  /// Says of which file a failure is.
  private static func of<T>(_ path: String, _ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch let error as TokenizerFileError {
      throw LoadingError("\(path): \(error)")
    }
  }
}
