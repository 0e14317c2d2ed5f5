extension Tokenizer {
  /// The tokenizer that a `tokenizer.json` describes.
  ///
  /// Its `truncation` and the sizes of its `padding` are not looked at: they are each request's.
  ///
  /// - Parameter padding: the token that fills a text up, if another file names it; else the file's
  ///   own, else `[PAD]` or `<pad>`.
  public init(json bytes: [UInt8], padding: String? = nil) throws(TokenizerFileError) {
    let file = try TokenizerFile(bytes)
    let parts = try file.model()
    var vocabulary = parts.vocabulary
    let tokens = try file.addedTokens(&vocabulary)
    let normalizers = try file.normalizers()
    let preTokenizers = try file.preTokenizers()
    let normalized = try Self.normalized(tokens, normalizers)
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
            addedTokens: try AddedTokens(normalized)))
      }
    self.vocabulary = vocabulary
    self.padding = try file.padding(vocabulary, named: padding)
    specialIDs = Set(tokens.lazy.filter(\.isSpecial).map(\.id))
    template = try file.template(vocabulary)
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
      for normalizer in normalizers { normalizer.apply(to: &text) }
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

extension TokenizerFile {
  /// A model, its tokens and its name.
  struct Model {
    var model: TextPipeline.Model
    var vocabulary: Vocabulary
    var name: String
  }

  func model() throws(TokenizerFileError) -> Model {
    switch try modelType() {
    case "WordPiece":
      let prefix = try modelMember("continuing_subword_prefix").string(or: "##")
      let vocabulary = try vocabulary(continuationPrefix: Array(prefix.utf8))
      let unknown = try modelMember("unk_token").string(or: "[UNK]")
      guard let id = vocabulary.id(of: unknown) else { throw .missing(token: unknown) }
      var model = WordPieceModel(trie: vocabulary.trie, unknown: id)
      model.limit.count = try modelMember("max_input_chars_per_word")
        .integer(in: 1...100_000, or: 100)
      return Model(model: .wordPiece(model), vocabulary: vocabulary, name: "WordPiece")
    case "Unigram": return try unigram()
    case let type:
      throw .unsupported(place: "model.type", what: "\"\(type.prefix(64))\"")
    }
  }

  /// Files of old do not say it.
  private func modelType() throws(TokenizerFileError) -> String {
    let type = try modelMember("type")
    guard type.isNull else { return try type.string() }
    return modelMembers["merges"] != nil
      ? "BPE" : modelMembers["max_input_chars_per_word"] != nil ? "WordPiece" : "Unigram"
  }

  private func unigram() throws(TokenizerFileError) -> Model {
    var text: [UInt8] = []
    var places: [Range<Int>] = []
    var scores: [Double] = []
    try forEachModelElement("vocab") { element in
      let parts = try element.elements()
      guard parts.count == 2 else { throw element.invalid("must be a token and its score") }
      let token = try parts[0].string()
      places.append(text.count..<text.count + token.utf8.count)
      text += token.utf8
      scores.append(try parts[1].number())
    }
    let unknown = try modelMember("unk_id").integer(in: 0...max(0, scores.count - 1))
    if try modelMember("byte_fallback").boolean(or: false) {
      throw .unsupported(place: "model.byte_fallback", what: "true")
    }
    let vocabulary = try Vocabulary(bytes: text, places: places)
    let model = UnigramModel(vocabulary.trie, scores: scores, unknown: Int32(unknown))
    return Model(model: .unigram(model), vocabulary: vocabulary, name: "Unigram")
  }

  /// The id of the token that fills a text up.
  func padding(
    _ vocabulary: Vocabulary, named name: String?
  ) throws(TokenizerFileError) -> Int32 {
    var names = ["[PAD]", "<pad>"]
    let value = try member("padding")
    if let name {
      names = [name]
    } else if !value.isNull {
      names = [try value["pad_token"].string()]
    }
    for name in names {
      if let id = vocabulary.addedID(of: name) { return id }
    }
    throw .missing(token: names[0])
  }
}
