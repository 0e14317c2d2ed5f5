/// A piece of a SentencePiece model.
public struct SentencePiece: Equatable, Sendable {
  public var text: String
  /// The logarithm of its probability.
  public var score: Float
  public var isUnknown: Bool
  /// Of a token that no text has, `<s>`.
  public var isControl: Bool
  public var isUserDefined: Bool
  /// Of a piece that no text has either.
  public var isUnused: Bool

  public init(
    text: String, score: Float, isUnknown: Bool = false, isControl: Bool = false,
    isUserDefined: Bool = false, isUnused: Bool = false
  ) {
    self.text = text
    self.score = score
    self.isUnknown = isUnknown
    self.isControl = isControl
    self.isUserDefined = isUserDefined
    self.isUnused = isUnused
  }

  var isNormal: Bool { !isUnknown && !isControl && !isUserDefined && !isUnused }
}

/// The class of transformers that reads a SentencePiece model, with its options.
public enum SentencePieceClass: Equatable, Sendable {
  case albert(keepsAccents: Bool, lowercases: Bool)
  case xlmRoberta
  case camembert
  case deberta(lowercases: Bool, splitsPunctuation: Bool)

  /// The tokens that frame a text, mask and pad it.
  public var specialTokens: SpecialTokens {
    var tokens = SpecialTokens.roberta
    switch self {
    case .albert:
      tokens = SpecialTokens()
      (tokens.unknown, tokens.padding) = ("<unk>", "<pad>")
    case .xlmRoberta: break
    case .camembert: tokens.stripsLeft = [tokens.mask]
    case .deberta:
      tokens = SpecialTokens()
      tokens.others = [tokens.classification, tokens.separator]
    }
    return tokens
  }

  /// The class's tokens before and behind the model's pieces, and how many of those it leaves out at
  /// the start: it has its own for them.
  fileprivate var frame: (before: [(String, Double)], dropped: Int, after: [(String, Double)]) {
    switch self {
    case .albert, .deberta: ([], 0, [])
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

  /// Whether it takes the model's pieces alone, and leaves out what its normaliser does.
  public var takesPiecesAlone: Bool { if case .deberta = self { true } else { false } }

  /// The id of what is unknown, whatever the model says but for DeBERTa.
  fileprivate func unknown(
    _ pieces: [SentencePiece], _ special: SpecialTokens, model id: Int?
  ) throws(TokenizerFileError) -> Int32 {
    switch self {
    case .albert, .xlmRoberta, .camembert:
      let dropped = frame.dropped
      let place = dropped == 0 ? 1 : 0
      guard pieces.count > place, pieces[place].isUnknown else {
        throw .invalid(
          place: "the piece \(place)",
          reason: "must be the unknown one, as the class of tokenizer has it")
      }
      return dropped == 0 ? 1 : 3
    case .deberta:
      let named = pieces.firstIndex {
        $0.score == 0 && $0.text.utf8.elementsEqual(special.unknown.utf8)
      }
      guard let id = named ?? id, pieces.indices.contains(id) else {
        throw .invalid(
          place: "trainer_spec.unk_id",
          reason: "must be the id of one of the model's \(pieces.count) pieces, for none is "
            + "\"\(special.unknown.prefix(64))\" with the score 0")
      }
      return Int32(truncatingIfNeeded: id)
    }
  }

  fileprivate var normalizers: [NormalizerStep] {
    if case .deberta(let lowercases, _) = self {
      let steps: [NormalizerStep] = [
        .replace(.repeatedSpacesOrLineBreak, with: [0x20]), .nfc, .strip(left: false, right: true),
      ]
      return lowercases ? [.lowercase] + steps : steps
    }
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

  fileprivate func preTokenizers(addsPrefixSpace: Bool) -> [PreTokenizerStep] {
    guard case .deberta(_, let splitsPunctuation) = self else {
      let metaspace = PreTokenizerStep.Metaspace(
        replacement: 0x2581, prepends: addsPrefixSpace ? .always : .never, splits: true)
      return [.whitespaceSplit, .metaspace(metaspace)]
    }
    let metaspace = PreTokenizerStep.Metaspace(
      replacement: 0x2581, prepends: addsPrefixSpace ? .always : .first, splits: true)
    return (splitsPunctuation ? [.punctuation(.isolated)] : []) + [.metaspace(metaspace)]
  }
}

/// A token that a folder adds to the pieces of a SentencePiece model.
public struct ListedToken: Equatable, Sendable {
  public var name: String
  public var flags: AddedTokenFlags
  /// Nil where the folder gives none.
  public var id: Int?

  public init(name: String, flags: AddedTokenFlags, id: Int? = nil) {
    self.name = name
    self.flags = flags
    self.id = id
  }
}

extension Tokenizer {
  /// The tokenizer of a folder that has a SentencePiece model and no `tokenizer.json`: as
  /// transformers 5 makes it.
  ///
  /// Source: transformers `tokenization_albert.py`, `tokenization_xlm_roberta.py`,
  /// `tokenization_camembert.py`, `tokenization_deberta_v2.py`, `convert_slow_tokenizer.py`,
  /// `tokenization_utils_tokenizers.py`.
  ///
  /// - Parameters:
  ///   - pieces: those of the model, by id.
  ///   - characterMap: its normaliser's; empty if it has none.
  ///   - kind: the class.
  ///   - specialTokens: others than the class's; only of DeBERTa. The `others` are those that begin and end
  ///     a text.
  ///   - unknown: the model's own id of what is unknown; only DeBERTa reads it.
  ///   - addsPrefixSpace: whether the first word is as one after a space.
  ///   - listed: tokens of `added_tokens_decoder`, by id.
  ///   - named: the same for tokens that other members name; a nil value where they do not say.
  ///   - seeksPieces: whether control and user-defined pieces are matched in texts: transformers does so
  ///     unless the folder lists special tokens beside those of the class.
  ///   - lowercases: whether text is lower-cased before its normalizers, if they do not.
  public init(
    pieces: [SentencePiece], characterMap: [UInt8], as kind: SentencePieceClass,
    specialTokens: SpecialTokens? = nil, unknown: Int? = nil, addsPrefixSpace: Bool = true,
    listed: [ListedToken] = [],
    named: [String: AddedTokenFlags?] = [:], seeksPieces: Bool = true, lowercases: Bool = false
  ) throws(TokenizerFileError) {
    let frame = kind.frame
    let special = specialTokens ?? kind.specialTokens
    let unknown = try kind.unknown(pieces, special, model: unknown)
    let own = pieces.dropFirst(frame.dropped).map { ($0.text, Double($0.score)) }
    let all = frame.before + own + frame.after
    var text: [UInt8] = []
    var places: [Range<Int>] = []
    for (token, _) in all {
      places.append(text.count..<text.count + token.utf8.count)
      text += token.utf8
    }
    let model = try TokenizerFile.Model(unigram: text, places, all.map(\.1), unknown: unknown)
    var vocabulary = model.vocabulary
    let added =
      kind.takesPiecesAlone
      ? try Self.add(listed, special, others: named.keys, to: &vocabulary) : [:]
    func id(_ token: String) throws(TokenizerFileError) -> Int32 {
      guard let id = model.vocabulary.id(of: token) ?? added[Array(token.utf8)] else {
        throw .missing(token: token)
      }
      return id
    }

    // The first one that says how a token is sought counts.
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
    for token in listed { try add(token.name, token.flags) }
    for piece in pieces where seeksPieces && (piece.isControl || piece.isUserDefined) {
      try add(piece.text, plain, isSpecial: piece.isControl)
    }
    for (name, flags) in named { if let flags { try add(name, flags) } }
    for name in special.framing + [special.mask] + special.others {
      var flags = plain
      flags.stripsLeft = special.stripsLeft.contains(name)
      try add(name, flags)
    }
    for name in named.keys { try add(name, plain) }

    var normalizers = kind.normalizers
    if !characterMap.isEmpty, !kind.takesPiecesAlone {
      guard let map = PrecompiledMap(characterMap) else {
        throw .invalid(place: "precompiled_charsmap", reason: "is not a map of characters")
      }
      normalizers.append(.precompiled(map))
    }
    let (start, end) = (try id(special.classification), try id(special.separator))
    let template =
      switch kind {
      case .albert, .deberta: TokenTemplate(classification: start, separator: end)
      case .xlmRoberta, .camembert: TokenTemplate(robertaStart: start, end: end)
      }
    try self.init(
      Parts(
        model: model, vocabulary: vocabulary, tokens: tokens.values.sorted { $0.id < $1.id },
        normalizers: normalizers,
        preTokenizers: kind.preTokenizers(addsPrefixSpace: addsPrefixSpace),
        template: template, padding: try id(special.padding),
        decoder: .metaspace(
          replacement: 0x2581, dropsFirst: addsPrefixSpace || kind.takesPiecesAlone)),
      lowercases: lowercases)
  }

  /// Gives tokens that are no pieces the ids after those, one after the other, as transformers does.
  ///
  /// - Returns: their ids by their UTF-8.
  private static func add(
    _ listed: [ListedToken], _ special: SpecialTokens, others: some Sequence<String>,
    to vocabulary: inout Vocabulary
  ) throws(TokenizerFileError) -> [[UInt8]: Int32] {
    var added: [[UInt8]: Int32] = [:]
    func add(_ name: String) throws(TokenizerFileError) -> Int32 {
      let spelling = Array(name.utf8)
      if let id = vocabulary.id(of: name) ?? added[spelling] { return id }
      guard 1...TokenTrie.longest ~= spelling.count else {
        throw .invalid(
          place: "the added token \"\(name.prefix(64))\"",
          reason: "must have 1 to \(TokenTrie.longest) bytes")
      }
      let id = Int32(truncatingIfNeeded: vocabulary.count)
      vocabulary.add(spelling, id: vocabulary.count)
      added[spelling] = id
      return id
    }
    for token in listed {
      let id = try add(token.name)
      guard token.id.map({ $0 == Int(id) }) == true else {
        throw .invalid(
          place: "the added token \"\(token.name.prefix(64))\"",
          reason: "must have the id \(id), which the pieces and the tokens before it leave it; "
            + "libraries differ in which they take")
      }
    }
    for name in special.others + [
      special.unknown, special.separator, special.padding, special.classification, special.mask,
    ] {
      _ = try add(name)
    }
    let rest = others.filter { vocabulary.id(of: $0) == nil && added[Array($0.utf8)] == nil }
    guard rest.count <= 1 else {
      throw .unsupported(
        place: "the special tokens \(rest.sorted().prefix(4))",
        what: "more than one without an id in added_tokens_decoder")
    }
    for name in rest { _ = try add(name) }
    return added
  }
}
