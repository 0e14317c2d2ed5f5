/// The names of the tokens that BERT frames and fills its inputs with.
public struct SpecialTokens: Equatable, Sendable {
  public var unknown = "[UNK]"
  public var separator = "[SEP]"
  public var padding = "[PAD]"
  public var classification = "[CLS]"
  /// Only text that names it needs it.
  public var mask = "[MASK]"
  /// More tokens that text may name.
  public var others: [String] = []
  /// Those of all these that take the white space before them along.
  public var stripsLeft: Set<String> = []
  /// Whether a pair is `<s> A </s></s> B </s>` without types, and offsets are trimmed, as RoBERTa's.
  public var usesRoBERTaTemplate = false

  public init() {}

  /// RoBERTa's.
  public static let roberta = {
    var tokens = SpecialTokens()
    (tokens.unknown, tokens.separator, tokens.padding) = ("<unk>", "</s>", "<pad>")
    (tokens.classification, tokens.mask) = ("<s>", "<mask>")
    return tokens
  }()

  /// MPNet's, with WordPiece. That its mask takes white space along, trimming undoes.
  public static let mpnet = {
    var tokens = roberta
    (tokens.unknown, tokens.usesRoBERTaTemplate) = ("[UNK]", true)
    return tokens
  }()

  /// Those that every input needs.
  var framing: [String] { [padding, unknown, classification, separator] }
}

extension Tokenizer {
  /// The tokenizer of a folder that has a `vocab.txt` and no `tokenizer.json`.
  public init(
    vocabulary: Vocabulary, options: BERTOptions = BERTOptions(),
    specialTokens: SpecialTokens = SpecialTokens(), rules: TokenizerRules = .huggingFace
  ) throws(TokenizerFileError) {
    func id(_ token: String) throws(TokenizerFileError) -> Int32 {
      guard let id = vocabulary.id(of: token) else { throw .missing(token: token) }
      return id
    }
    let unknown = try id(specialTokens.unknown)
    padding = try id(specialTokens.padding)
    let (start, end) = (
      try id(specialTokens.classification), try id(specialTokens.separator)
    )
    template =
      specialTokens.usesRoBERTaTemplate
      ? TokenTemplate(robertaStart: start, end: end)
      : TokenTemplate(classification: start, separator: end)
    var tokens: [AddedTokens.Token] = []
    for name in specialTokens.framing + [specialTokens.mask] + specialTokens.others {
      guard let id = vocabulary.id(of: name), !tokens.contains(where: { $0.id == id }) else {
        continue
      }
      tokens.append(
        AddedTokens.Token(
          id: id, spelling: Array(name.utf8), stripsLeft: specialTokens.stripsLeft.contains(name)))
    }
    specialIDs = Set(tokens.map(\.id))
    addedTokens = try AddedTokens(rules == .huggingFace ? tokens : [])
    var model = WordPieceModel(trie: vocabulary.trie, unknown: unknown)
    model.limit.isInBytes = rules == .tensorFlow
    engine = .bert(
      BERTSplitter(
        model,
        rules == .huggingFace
          ? CharacterTable(huggingFace: options) : CharacterTable(tensorFlow: options)))
    trimming = specialTokens.usesRoBERTaTemplate ? OffsetTrimming(addsPrefixSpace: false) : nil
    trimsPairsEvenly = rules == .tensorFlow
    self.vocabulary = vocabulary
    standardSteps = .bert(options)
    addedFlags = [:]
    lowercases = options.lowercase
    summary = "WordPiece"
    decoder = .wordPiece(prefix: "##", cleansUp: true)
  }
}
