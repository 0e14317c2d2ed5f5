import Checkpoints
public import Tokenizers

extension ModelFiles {
  /// TensorFlow Text's rules for what TensorFlow Hub has, whose preprocessors are that library's.
  public var tokenizerRules: TokenizerRules {
    checkpoint.format == .savedModel ? .tensorFlow : .huggingFace
  }

  /// The folder's tokenizer: what `tokenizer.json` says, else what transformers' class makes of its
  /// vocabulary.
  ///
  /// - Parameter rules: TensorFlow Text's need a `vocab.txt` or a SavedModel's SentencePiece model; nil: those of the folder's format.
  public func tokenizer(_ rules: TokenizerRules? = nil) throws -> Tokenizer {
    let tokenizer = try tokenizer(rules ?? tokenizerRules, markers: [])
    let markers = (sentenceModules?.tokenVectors?.markers ?? []).compactMap(tokenizer.marker)
    if markers.isEmpty { return tokenizer }
    let marked = try self.tokenizer(rules ?? tokenizerRules, markers: markers)
    guard markers.allSatisfy({ marked.marker($0) == nil }) else {
      throw LoadingError(
        "\(path): the tokenizer cuts a marker of ColBERT (\(markers.joined(separator: ", "))) into several "
          + "tokens; it is registered as a special token only with a tokenizer.json or a vocab.txt, "
          + "and Hugging Face's rules")
    }
    return marked
  }

  /// - Parameter markers: tokens of the vocabulary that are sought as special ones.
  private func tokenizer(_ rules: TokenizerRules, markers: [String]) throws -> Tokenizer {
    let tokenizer: Tokenizer
    let source: String
    if rules == .huggingFace, let path = tokenizerFiles.tokenizerPath {
      source = path
      tokenizer = try Self.of(path) {
        try Tokenizer(
          json: Self.bytes(path), padding: tokenizerFiles.padToken, lowercases: lowercasesFirst,
          markers: markers)
      }
      if markers.isEmpty { try checkAgreement(of: path, tokenizer) }
    } else if rules == .huggingFace, tokenizerFiles.family == .roberta,
      let paths = tokenizerFiles.bytePairPaths
    {
      source = paths.vocabulary
      tokenizer = try Self.of(source) {
        try Tokenizer(
          bytePairVocabulary: Self.bytes(paths.vocabulary), merges: Self.bytes(paths.merges),
          specialTokens: specialTokens(.roberta),
          addsPrefixSpace: tokenizerFiles.addsPrefixSpace ?? false, lowercases: lowercasesFirst)
      }
    } else if rules == .huggingFace, let path = tokenizerFiles.sentencePiecePath {
      source = path
      tokenizer = try Self.of(path) { try sentencePieceTokenizer(path) }
    } else if rules == .tensorFlow, let steps = checkpoint.sentencePiece {
      source = steps.file.path
      tokenizer = try Self.of(source) {
        try Tokenizer(
          tensorFlow: steps.file.pieces.map(SentencePiece.init),
          characterMap: steps.file.characterMap, stripsDiacritics: steps.stripsDiacritics,
          lowercases: steps.lowercases)
      }
    } else if let path = tokenizerFiles.vocabularyPath {
      source = path
      let isMPNets = rules == .huggingFace && tokenizerFiles.family == .mpnet
      var specialTokens = specialTokens(isMPNets ? .mpnet : SpecialTokens())
      specialTokens.others += markers
      tokenizer = try Self.of(path) {
        let vocabulary = try Vocabulary(
          lines: Self.bytes(path), lastCounts: rules == .huggingFace)
        if isMPNets { try checkClass(of: path, vocabulary, specialTokens) }
        return try Tokenizer(
          vocabulary: vocabulary, options: options, specialTokens: specialTokens, rules: rules)
      }
      if rules == .huggingFace { try checkNames(of: path, tokenizer) }
    } else {
      throw LoadingError(
        rules == .tensorFlow
          ? "\(path) has neither a vocab.txt nor, in a SavedModel, a SentencePiece model, of which TensorFlow's rules need one"
          : "\(path) has neither tokenizer.json nor vocab.txt, of which a tokenizer is made")
    }
    try check(tokenizer, of: source)
    return tokenizer
  }

  /// Whether sentence-transformers lower-cases a text, if the tokenizer does not.
  var lowercasesFirst: Bool { sentenceModules?.lowercases ?? false }

  private var options: BERTOptions {
    let lowercases = tokenizerFiles.lowercases ?? true
    return BERTOptions(
      lowercase: lowercases || lowercasesFirst,
      stripAccents: tokenizerFiles.stripsAccents ?? lowercases,
      spacesAroundCJK: tokenizerFiles.splitsChineseCharacters ?? true)
  }

  /// Those that the folder names, else the defaults of its class of tokenizer.
  func specialTokens(_ defaults: SpecialTokens) -> SpecialTokens {
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

  /// What stands for a token that a masked language model fills in: what the folder names, else the
  /// default of its class of tokenizer.
  public var maskToken: String {
    if let token = tokenizerFiles.maskToken { return token }
    switch tokenizerFiles.family {
    case .roberta, .xlmRoberta, .camembert, .mpnet: return "<mask>"
    case .bert, .albert, .deberta, .other: return "[MASK]"
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
