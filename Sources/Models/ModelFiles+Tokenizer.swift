import Checkpoints
public import WordPiece

extension ModelFiles {
  /// TensorFlow Text's rules for what TensorFlow Hub has, whose preprocessors are that library's.
  public var tokenizerRules: TokenizerRules {
    checkpoint.format == .savedModel ? .tensorFlow : .huggingFace
  }

  /// The folder's tokenizer: what `tokenizer.json` says, else `vocab.txt` with the defaults of
  /// transformers' `BertTokenizer`.
  ///
  /// - Parameter rules: TensorFlow Text's need a `vocab.txt`; nil: those of the folder's format.
  public func tokenizer(_ rules: TokenizerRules? = nil) throws -> Tokenizer {
    let rules = rules ?? tokenizerRules
    let tokenizer: Tokenizer
    let source: String
    if rules == .huggingFace, let path = tokenizerFiles.tokenizerPath {
      source = path
      tokenizer = try Self.of(path) {
        try Tokenizer(json: Self.bytes(path), padding: tokenizerFiles.padToken)
      }
      try checkAgreement(of: path, tokenizer)
    } else if rules == .huggingFace, tokenizerFiles.family == .roberta,
      let paths = tokenizerFiles.bytePairPaths
    {
      source = paths.vocabulary
      tokenizer = try Self.of(source) {
        try Tokenizer(
          bytePairVocabulary: Self.bytes(paths.vocabulary), merges: Self.bytes(paths.merges),
          specialTokens: specialTokens(.roberta),
          addsPrefixSpace: tokenizerFiles.addsPrefixSpace ?? false)
      }
    } else if let path = tokenizerFiles.vocabularyPath {
      source = path
      tokenizer = try Self.of(path) {
        try Tokenizer(
          vocabulary: Vocabulary(lines: Self.bytes(path), lastCounts: rules == .huggingFace),
          options: options, specialTokens: specialTokens(SpecialTokens()), rules: rules)
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

  /// Those that the folder names, else the defaults of its class of tokenizer.
  private func specialTokens(_ defaults: SpecialTokens) -> SpecialTokens {
    var tokens = defaults
    tokens.unknown = tokenizerFiles.unknownToken ?? tokens.unknown
    tokens.separator = tokenizerFiles.separatorToken ?? tokens.separator
    tokens.padding = tokenizerFiles.padToken ?? tokens.padding
    tokens.classification = tokenizerFiles.classToken ?? tokens.classification
    tokens.mask = tokenizerFiles.maskToken ?? tokens.mask
    tokens.others = tokenizerFiles.additionalTokens
    tokens.stripsLeft = tokenizerFiles.leftStrippedTokens
    return tokens
  }

  /// transformers takes BERT's options from `tokenizer_config.json`, or their defaults, and
  /// `tokenizers` from `tokenizer.json`: where they differ there is no one answer.
  private func checkAgreement(of path: String, _ tokenizer: Tokenizer) throws {
    guard tokenizerFiles.family == .bert, let options = tokenizer.options else { return }
    let lowercases = tokenizerFiles.lowercases ?? true
    let pairs = [
      ("do_lower_case", lowercases, options.lowercase),
      (
        "strip_accents", tokenizerFiles.stripsAccents ?? lowercases,
        options.stripAccents ?? options.lowercase
      ),
      (
        "tokenize_chinese_chars", tokenizerFiles.splitsChineseCharacters ?? true,
        options.spacesAroundCJK
      ),
    ]
    for (name, stated, actual) in pairs where stated != actual {
      throw LoadingError(
        "\(path) does not do what \(name) in tokenizer_config.json says (\(stated), which it is by "
          + "default too), and libraries differ in which of the two they believe: set \(name) to "
          + "\(actual) there if the tokenizer.json is right")
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
    try ModelFile(path: path).copy()
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
