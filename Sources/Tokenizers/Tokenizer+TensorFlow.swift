extension Tokenizer {
  /// The tokenizer of Model Garden's preprocessing with a SentencePiece model, as `albert_en_preprocess`.
  ///
  /// Source: tf-models-official `text_layers.py`, `SentencepieceTokenizer`.
  ///
  /// - Parameters:
  ///   - pieces: those of the model, by id.
  ///   - characterMap: its normaliser's; empty if it has none.
  ///   - stripsDiacritics: whether non-spacing marks are dropped first.
  ///   - lowercases: whether case is folded then.
  public init(
    tensorFlow pieces: [SentencePiece], characterMap: [UInt8], stripsDiacritics: Bool,
    lowercases: Bool
  ) throws(TokenizerFileError) {
    var text: [UInt8] = []
    var places: [Range<Int>] = []
    for piece in pieces {
      places.append(text.count..<text.count + piece.text.utf8.count)
      text += piece.text.utf8
    }
    func chosen(_ isChosen: (SentencePiece) -> Bool) -> [Range<Int>] {
      zip(pieces, places).map { isChosen($0) ? $1 : 0..<0 }
    }
    let vocabulary = try Vocabulary(bytes: text, places: places)
    func id(_ token: String) throws(TokenizerFileError) -> Int32 {
      guard let id = vocabulary.id(of: token) else { throw .missing(token: token) }
      return id
    }
    guard let unknown = pieces.firstIndex(where: \.isUnknown) else {
      throw .missing(token: "<unk>")
    }
    let matched = chosen { $0.isNormal || $0.isUserDefined }
    let model = UnigramModel(
      sentencePiece: pieces, try TokenTrie(bytes: text, tokens: matched),
      unknown: Int32(unknown), longest: matched.map(\.count).max() ?? 0)
    let normalizer = try SentencePieceNormalizer(
      characterMap: characterMap, kept: (text, chosen(\.isUserDefined)))
    try self.init(
      Parts(
        model: TokenizerFile.Model(
          model: .unigram(model), vocabulary: vocabulary, name: "Unigram"),
        vocabulary: vocabulary,
        tokens: pieces.indices.filter { pieces[$0].isControl || pieces[$0].isUnknown }.map {
          AddedTokens.Token(
            id: Int32($0), spelling: Array(pieces[$0].text.utf8))
        },
        normalizers: (stripsDiacritics ? [.stripDiacritics] : [])
          + (lowercases ? [.foldCase] : []) + [.sentencePiece(normalizer)],
        preTokenizers: [],
        template: TokenTemplate(classification: try id("[CLS]"), separator: try id("[SEP]")),
        padding: try id("<pad>"), decoder: .metaspace(replacement: 0x2581, dropsFirst: true),
        isTensorFlow: true),
      lowercases: false)
  }
}
