extension Tokenizer {
  /// The tokenizer that a `tokenizer.json` describes.
  ///
  /// Its `truncation` and the sizes of its `padding` are not looked at: they are each request's.
  ///
  /// - Parameters:
  ///   - bytes: those of the file.
  ///   - paddingName: the token that fills a text up, if another file names it; else the file's
  ///     own, else `[PAD]` or `<pad>`.
  public init(json bytes: [UInt8], padding paddingName: String? = nil) throws(TokenizerFileError) {
    let file = try TokenizerFile(bytes)
    let parts = try file.model()
    var vocabulary = parts.vocabulary
    let tokens = try file.addedTokens(&vocabulary)
    let normalizers = try file.normalizers()
    let preTokenizers = try file.preTokenizers()
    let (template, trimming) = try file.postProcessor(vocabulary)
    try file.check(trimming, parts)
    padding = try file.padding(vocabulary, named: paddingName)
    let normalized = try Self.normalized(tokens, normalizers)
    // `tokenizers` reads them back as they are sought.
    for token in normalized where Int(token.id) >= vocabulary.modelCount {
      vocabulary.add(token.spelling, id: Int(token.id))
    }
    addedTokens = try AddedTokens(tokens.filter { !$0.isNormalized })
    engine =
      if normalized.isEmpty,
        let splitter = Self.bertSplitter(normalizers, preTokenizers, parts.model)
      {
        .bert(splitter)
      } else {
        .steps(
          TextPipeline(
            normalizers: normalizers, preTokenizers: preTokenizers, model: parts.model,
            addedTokens: try AddedTokens(normalized), trimming: trimming))
      }
    self.vocabulary = vocabulary
    specialIDs = Set(tokens.lazy.filter(\.isSpecial).map(\.id))
    self.template = template
    self.trimming = trimming
    decoder = try file.decoder()
    trimsPairsEvenly = false
    summary = parts.name
    options =
      if normalizers.count == 1, case .bert(let options) = normalizers[0] { options } else { nil }
    lowercases = normalizers.contains {
      switch $0 {
      case .bert(let options): options.lowercase
      case .lowercase: true
      default: false
      }
    }
  }

  /// BERT's own steps are done in one pass.
  private static func bertSplitter(
    _ normalizers: [NormalizerStep], _ preTokenizers: [PreTokenizerStep],
    _ model: TextPipeline.Model
  ) -> BERTSplitter? {
    guard case .wordPiece(let model) = model, preTokenizers.count == 1,
      case .bert = preTokenizers[0], normalizers.count <= 1
    else { return nil }
    switch normalizers.first {
    case nil: return BERTSplitter(model, CharacterTable(huggingFace: .none))
    case .bert(let options):
      return BERTSplitter(model, CharacterTable(huggingFace: options))
    default: return nil
    }
  }

  /// Those of the tokens that are sought in normalised text, themselves normalised.
  private static func normalized(
    _ tokens: [AddedTokens.Token], _ normalizers: [NormalizerStep]
  ) throws(TokenizerFileError) -> [AddedTokens.Token] {
    var result: [AddedTokens.Token] = []
    for var token in tokens where token.isNormalized {
      var text = AlignedText(token.spelling)
      for normalizer in normalizers { normalizer.apply(to: &text, TextPart(range: 0..<text.count)) }
      token.spelling = text.utf8().bytes
      guard !token.spelling.isEmpty else {
        throw .unsupported(
          place: "added_tokens", what: "a token that the normalizer leaves nothing of")
      }
      result.append(token)
    }
    return result
  }
}
