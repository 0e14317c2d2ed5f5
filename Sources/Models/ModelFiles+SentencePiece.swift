import Checkpoints
import Tokenizers

extension ModelFiles {
  /// The tokenizer that transformers' class makes of a SentencePiece model.
  func sentencePieceTokenizer(_ path: String) throws -> Tokenizer {
    let files = tokenizerFiles
    let kind: SentencePieceClass =
      switch files.family {
      case .albert:
        .albert(
          keepsAccents: files.keepsAccents ?? false, lowercases: files.lowercases ?? true)
      case .camembert: .camembert
      case .deberta:
        .deberta(
          lowercases: files.lowercases ?? false, splitsPunctuation: files.splitsPunctuation ?? false
        )
      default: .xlmRoberta
      }
    var special = kind.specialTokens
    if kind.takesPiecesAlone {
      special = specialTokens(special)
      special.others = [files.beginToken ?? "[CLS]", files.endToken ?? "[SEP]"]
    }
    for (name, own) in [
      (files.unknownToken, special.unknown), (files.separatorToken, special.separator),
      (files.padToken, special.padding), (files.classToken, special.classification),
      (files.maskToken, special.mask),
    ] {
      guard let name, name != own else { continue }
      throw LoadingError(
        "\(path): the token \"\(name.prefix(64))\", which tokenizer_config.json or "
          + "special_tokens_map.json names for \"\(own)\", is supported only with a tokenizer.json: "
          + TokenizerConfiguration.toConvert)
    }
    let file = try SentencePieceFile(
      path: path, for: kind.takesPiecesAlone ? .transformersPiecesAlone : .transformers)
    return try Tokenizer(
      pieces: file.pieces.map(SentencePiece.init),
      characterMap: file.characterMap, as: kind, specialTokens: special, unknown: file.unknownID,
      addsPrefixSpace: files.addsPrefixSpace ?? true,
      listed: (files.addedTokens ?? [:]).map {
        ListedToken(name: $0.key, flags: AddedTokenFlags($0.value), id: $0.value.id)
      }.sorted { ($0.id ?? .max, $0.name) < ($1.id ?? .max, $1.name) },
      named: Dictionary(
        files.additionalTokens.map { ($0, nil) }, uniquingKeysWith: { first, _ in first }
      ).merging(
        files.namedTokens.mapValues { .some(AddedTokenFlags($0)) }, uniquingKeysWith: { $1 }),
      seeksPieces: !files.listsAdditionalTokens,
      lowercases: lowercasesFirst)
  }
}

extension SentencePiece {
  init(_ piece: SentencePieceFile.Piece) {
    self.init(
      text: piece.text, score: piece.score, isUnknown: piece.kind == .unknown,
      isControl: piece.kind == .control, isUserDefined: piece.kind == .userDefined,
      isUnused: piece.kind == .unused)
  }
}

extension AddedTokenFlags {
  init(_ token: TokenizerConfiguration.AddedToken) {
    self.init(
      stripsLeft: token.stripsLeft, stripsRight: token.stripsRight, singleWord: token.singleWord,
      isNormalized: token.isNormalized)
  }
}
