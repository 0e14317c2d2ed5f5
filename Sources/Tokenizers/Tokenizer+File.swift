extension Tokenizer {
  /// The tokenizer that a `tokenizer.json` describes.
  ///
  /// The sizes of its `truncation` and `padding` are not looked at: they are each request's.
  ///
  /// - Parameters:
  ///   - bytes: those of the file.
  ///   - paddingName: the token that fills a text up, if another file names it; else the file's
  ///     own, else `[PAD]` or `<pad>`.
  ///   - lowercases: whether text is lower-cased before its normalizers, if they do not.
  ///   - markers: tokens of the file that are sought as special ones, before text is normalised.
  public init(
    json bytes: [UInt8], padding paddingName: String? = nil, lowercases: Bool = false,
    markers: [String] = []
  ) throws(TokenizerFileError) {
    let file = try TokenizerFile(bytes)
    try file.checkSides()
    let model = try file.model()
    var vocabulary = model.vocabulary
    var tokens = try file.addedTokens(&vocabulary)
    for marker in markers {
      let spelling = Array(marker.utf8)
      let added = tokens.first { $0.spelling == spelling }?.id
      guard let id = added ?? vocabulary.id(of: marker) else { throw .missing(token: marker) }
      tokens.removeAll { $0.spelling == spelling }
      tokens.append(AddedTokens.Token(id: id, spelling: spelling))
    }
    let normalizers = try file.normalizers()
    let preTokenizers = try file.preTokenizers()
    let (template, trimming) = try file.postProcessor(vocabulary)
    try file.check(trimming, model)
    try self.init(
      Parts(
        model: model, vocabulary: vocabulary, tokens: tokens, normalizers: normalizers,
        preTokenizers: preTokenizers, template: template, trimming: trimming,
        padding: try file.padding(vocabulary, named: paddingName), decoder: try file.decoder()),
      lowercases: lowercases)
  }

  /// What a tokenizer is made of.
  struct Parts {
    var model: TokenizerFile.Model
    /// With the tokens added to the model's.
    var vocabulary: Vocabulary
    var tokens: [AddedTokens.Token]
    var normalizers: [NormalizerStep]
    var preTokenizers: [PreTokenizerStep]
    var template: TokenTemplate
    var trimming: OffsetTrimming?
    var padding: Int32
    var decoder: TokenDecoder
    /// Whether texts are read as TensorFlow Text reads them: they name no tokens, and pairs are cut in turn.
    var isTensorFlow = false
  }

  /// - Parameter lowercases: whether text is lower-cased before its normalizers, if they do not.
  init(_ parts: Parts, lowercases: Bool) throws(TokenizerFileError) {
    let normalizers = lowercases ? Self.lowercasing(parts.normalizers) : parts.normalizers
    let normalized = try Self.normalized(parts.tokens, normalizers)
    guard !lowercases || normalized.isEmpty else {
      throw .unsupported(
        place: "added_tokens", what: "a normalized token with do_lower_case of another file")
    }
    var vocabulary = parts.vocabulary
    // `tokenizers` reads them back as they are sought.
    for token in normalized where Int(token.id) >= vocabulary.modelCount {
      vocabulary.add(token.spelling, id: Int(token.id))
    }
    addedTokens = try AddedTokens(
      parts.isTensorFlow ? [] : parts.tokens.filter { !$0.isNormalized })
    engine =
      if normalized.isEmpty,
        let splitter = Self.bertSplitter(normalizers, parts.preTokenizers, parts.model.model)
      {
        .bert(splitter)
      } else {
        .steps(
          TextPipeline(
            normalizers: normalizers, preTokenizers: parts.preTokenizers, model: parts.model.model,
            addedTokens: try AddedTokens(normalized), trimming: parts.trimming))
      }
    self.vocabulary = vocabulary
    specialIDs = Set(parts.tokens.lazy.filter(\.isSpecial).map(\.id))
    template = parts.template
    trimming = parts.trimming
    padding = parts.padding
    decoder = parts.decoder
    trimsPairsEvenly = parts.isTensorFlow
    summary = parts.model.name
    self.lowercases = Self.lowercase(normalizers)
    standardSteps = Self.standardSteps(parts.normalizers, parts.preTokenizers, parts.model)
    addedFlags = Dictionary(
      parts.tokens.map { (String(decoding: $0.spelling, as: UTF8.self), AddedTokenFlags($0)) },
      uniquingKeysWith: { $1 })
  }

  private static func lowercase(_ normalizers: [NormalizerStep]) -> Bool {
    normalizers.contains {
      switch $0 {
      case .bert(let options): options.lowercase
      case .lowercase, .foldCase: true
      default: false
      }
    }
  }

  /// As sentence-transformers does it: accents stay as they were to be.
  private static func lowercasing(_ normalizers: [NormalizerStep]) -> [NormalizerStep] {
    if lowercase(normalizers) { return normalizers }
    guard normalizers.count == 1, case .bert(var options) = normalizers[0] else {
      return [.lowercase] + normalizers
    }
    (options.stripAccents, options.lowercase) = (options.stripsAccents, true)
    return [.bert(options)]
  }

  private static func standardSteps(
    _ normalizers: [NormalizerStep], _ preTokenizers: [PreTokenizerStep],
    _ parts: TokenizerFile.Model
  ) -> StandardSteps? {
    switch (parts.model, preTokenizers.first) {
    case (.wordPiece(let model), .bert?) where preTokenizers.count == 1:
      guard normalizers.count == 1, case .bert(let options) = normalizers[0], options.cleanText,
        model.limit == WordPieceModel.Limit(), parts.continuationPrefix == "##"
      else { return nil }
      return .bert(options)
    case (.bytePair, .byteLevel(let addsPrefixSpace, splits: true)?)
    where preTokenizers.count == 1 && normalizers.isEmpty:
      return .roberta(addsPrefixSpace: addsPrefixSpace)
    case (.unigram(let model), let first?):
      if let deberta = DeBERTaSteps(normalizers, preTokenizers),
        parts.vocabulary.id(of: "[UNK]") == model.unknown
      {
        return .deberta(
          lowercases: deberta.lowercases, splitsPunctuation: deberta.splitsPunctuation,
          addsPrefixSpace: deberta.addsPrefixSpace, isCurrent: deberta.isCurrent)
      }
      let isSplit = if case .whitespaceSplit = first { true } else { false }
      guard preTokenizers.count == (isSplit ? 2 : 1),
        case .metaspace(let metaspace)? = preTokenizers.last, metaspace.splits,
        metaspace.replacement == 0x2581, metaspace.prepends != .first,
        parts.vocabulary.id(of: "<unk>") == model.unknown
      else { return nil }
      let addsPrefixSpace = metaspace.prepends == .always
      if let albert = AlbertNormalizers(normalizers) {
        return .albert(
          keepsAccents: albert.keepsAccents, lowercases: albert.lowercases,
          addsPrefixSpace: addsPrefixSpace, isCurrent: isSplit && albert.isCurrent)
      }
      let others = normalizers.filter { if case .precompiled = $0 { false } else { true } }
      let areForWhiteSpace = others.allSatisfy { step in
        switch step {
        case .strip, .replace(.spaces, with: [0x20]), .replace(.spaces, with: [0x2581]): true
        default: false
        }
      }
      guard areForWhiteSpace, normalizers.count - others.count <= 1 else { return nil }
      return .xlmRoberta(
        addsPrefixSpace: addsPrefixSpace, isCurrent: isSplit && others.isEmpty)
    default: return nil
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
