/// A piece of a SentencePiece model.
public struct SentencePiece: Equatable, Sendable {
  public var text: String
  /// The logarithm of its probability.
  public var score: Float
  public var isUnknown: Bool
  /// Of a token that no text has, `<s>`.
  public var isControl: Bool
  public var isUserDefined: Bool

  public init(
    text: String, score: Float, isUnknown: Bool = false, isControl: Bool = false,
    isUserDefined: Bool = false
  ) {
    self.text = text
    self.score = score
    self.isUnknown = isUnknown
    self.isControl = isControl
    self.isUserDefined = isUserDefined
  }
}

/// The class of transformers that reads a SentencePiece model, with its options.
public enum SentencePieceClass: Equatable, Sendable {
  case albert(keepsAccents: Bool, lowercases: Bool)
  case xlmRoberta
  case camembert

  /// The tokens that frame a text, mask and pad it.
  public var specialTokens: SpecialTokens {
    guard case .albert = self else {
      var tokens = SpecialTokens.roberta
      if self == .camembert { tokens.stripsLeft = [tokens.mask] }
      return tokens
    }
    var tokens = SpecialTokens()
    (tokens.unknown, tokens.padding) = ("<unk>", "<pad>")
    return tokens
  }

  /// The class's tokens before and behind the model's pieces, and how many of those it leaves out at
  /// the start: it has its own for them.
  fileprivate var frame: (before: [(String, Double)], dropped: Int, after: [(String, Double)]) {
    switch self {
    case .albert: ([], 0, [])
    case .xlmRoberta:
      ([("<s>", 0), ("<pad>", 0), ("</s>", 0), ("<unk>", 0)], 3, [("<mask>", 0)])
    case .camembert:
      (
        [
          ("<s>NOTUSED", 0), ("<pad>", 0), ("</s>NOTUSED", 0), ("<unk>", 0), ("<unk>NOTUSED", -100),
        ],
        1, [("<mask>", 0)]
      )
    }
  }

  /// The id of what is unknown, whatever the model says.
  fileprivate var unknown: Int32 { if case .albert = self { 1 } else { 3 } }

  fileprivate var normalizers: [NormalizerStep] {
    guard case .albert(let keepsAccents, let lowercases) = self else { return [] }
    let quote: [UInt32] = [0x22]
    var steps = [
      NormalizerStep.replace(.text([0x60, 0x60]), with: quote),
      .replace(.text([0x27, 0x27]), with: quote),
    ]
    if !keepsAccents { steps += [.nfkd, .stripAccents] }
    if lowercases { steps.append(.lowercase) }
    return steps
  }
}

extension Tokenizer {
  /// The tokenizer of a folder that has a SentencePiece model and no `tokenizer.json`: as
  /// transformers 5 makes it.
  ///
  /// Source: transformers `tokenization_albert.py`, `tokenization_xlm_roberta.py`,
  /// `tokenization_camembert.py`, `convert_slow_tokenizer.py`.
  ///
  /// - Parameters:
  ///   - pieces: those of the model, by id.
  ///   - characterMap: its normaliser's; empty if it has none.
  ///   - kind: the class.
  ///   - addsPrefixSpace: whether the first word is as one after a space.
  ///   - listed: how tokens are matched that `added_tokens_decoder` lists, by name.
  ///   - named: the same for tokens that other members name; a nil value where they do not say.
  ///   - seeksPieces: whether control and user-defined pieces are matched in texts: transformers does so
  ///     unless the folder lists special tokens beside those of the class.
  ///   - lowercases: whether text is lower-cased before its normalizers, if they do not.
  public init(
    pieces: [SentencePiece], characterMap: [UInt8], as kind: SentencePieceClass,
    addsPrefixSpace: Bool = true, listed: [String: AddedTokenFlags] = [:],
    named: [String: AddedTokenFlags?] = [:], seeksPieces: Bool = true, lowercases: Bool = false
  ) throws(TokenizerFileError) {
    let frame = kind.frame
    let dropped = pieces.prefix(frame.dropped)
    guard
      frame.dropped == 0
        ? pieces.count > 1 && pieces[1].isUnknown : dropped.first?.isUnknown == true
    else {
      throw .invalid(
        place: "the piece \(frame.dropped == 0 ? 1 : 0)",
        reason: "must be the unknown one, as the class of tokenizer has it")
    }
    let own = pieces.dropFirst(frame.dropped).map { ($0.text, Double($0.score)) }
    let all = frame.before + own + frame.after
    var text: [UInt8] = []
    var places: [Range<Int>] = []
    for (token, _) in all {
      places.append(text.count..<text.count + token.utf8.count)
      text += token.utf8
    }
    let model = try TokenizerFile.Model(unigram: text, places, all.map(\.1), unknown: kind.unknown)
    let vocabulary = model.vocabulary
    func id(_ token: String) throws(TokenizerFileError) -> Int32 {
      guard let id = vocabulary.id(of: token) else { throw .missing(token: token) }
      return id
    }

    // The first one that says how a token is sought counts.
    let special = kind.specialTokens
    let plain = AddedTokenFlags(
      stripsLeft: false, stripsRight: false, singleWord: false, isNormalized: false)
    var tokens: [Int32: AddedTokens.Token] = [:]
    func add(
      _ name: String, _ flags: AddedTokenFlags, isSpecial: Bool = true
    ) throws(TokenizerFileError) {
      let id = try id(name)
      guard tokens[id] == nil else { return }
      tokens[id] = AddedTokens.Token(
        id: id, spelling: Array(name.utf8), singleWord: flags.singleWord,
        stripsLeft: flags.stripsLeft, stripsRight: flags.stripsRight,
        isNormalized: flags.isNormalized, isSpecial: isSpecial)
    }
    for (name, flags) in listed { try add(name, flags) }
    for piece in pieces where seeksPieces && (piece.isControl || piece.isUserDefined) {
      try add(piece.text, plain, isSpecial: piece.isControl)
    }
    for (name, flags) in named { if let flags { try add(name, flags) } }
    for name in special.framing + [special.mask] {
      var flags = plain
      flags.stripsLeft = special.stripsLeft.contains(name)
      try add(name, flags)
    }
    for name in named.keys { try add(name, plain) }

    var normalizers = kind.normalizers
    if !characterMap.isEmpty {
      guard let map = PrecompiledMap(characterMap) else {
        throw .invalid(place: "precompiled_charsmap", reason: "is not a map of characters")
      }
      normalizers.append(.precompiled(map))
    }
    let (start, end) = (try id(special.classification), try id(special.separator))
    let template =
      if case .albert = kind { TokenTemplate(classification: start, separator: end) } else {
        TokenTemplate(robertaStart: start, end: end)
      }
    let metaspace = PreTokenizerStep.Metaspace(
      replacement: 0x2581, prepends: addsPrefixSpace ? .always : .never, splits: true)
    try self.init(
      Parts(
        model: model, vocabulary: vocabulary, tokens: tokens.values.sorted { $0.id < $1.id },
        normalizers: normalizers, preTokenizers: [.whitespaceSplit, .metaspace(metaspace)],
        template: template,
        padding: try id(special.padding),
        decoder: .metaspace(replacement: metaspace.replacement, dropsFirst: addsPrefixSpace)),
      lowercases: lowercases)
  }
}
