import JSON

/// What a folder says of its tokens beside the vocabulary: Hugging Face's `tokenizer_config.json`,
/// and `special_tokens_map.json` of old.
public struct TokenizerConfiguration: Equatable, Sendable {
  /// nil where the file does not say: transformers' `BertTokenizer` lower-cases.
  public var lowercases: Bool?
  /// nil: accents are stripped when lower-casing.
  public var stripsAccents: Bool?
  /// Whether CJK ideographs are tokens of their own; nil where the file does not say.
  public var splitsChineseCharacters: Bool?
  /// Whether ALBERT's class leaves compatibility characters and accents alone; nil where the file does
  /// not say.
  public var keepsAccents: Bool?
  /// Whether DeBERTa's class cuts at punctuation; nil where the file does not say.
  public var splitsPunctuation: Bool?
  /// Tokens, special ones included; nil where the file says nothing or "no limit" (1e30).
  public var maximumLength: Int?
  /// Names of special tokens; nil where no file has them.
  public var unknownToken: String?
  public var separatorToken: String?
  public var padToken: String?
  public var classToken: String?
  public var maskToken: String?
  /// `bos_token` and `eos_token`; the `additionalTokens` have them too.
  public var beginToken: String?
  public var endToken: String?
  /// More special tokens that text may name.
  public var additionalTokens: [String] = []
  /// Whether the folder has a list of them, be it empty.
  public var listsAdditionalTokens = false
  /// All added tokens as `tokenizer_config.json` has them, by name; nil if it does not. Beside DeBERTa's
  /// SentencePiece model, else those of `added_tokens.json`.
  public var addedTokens: [String: AddedToken]?
  /// Those of `added_tokens.json`, where it counts beside a `tokenizer.json`.
  public var oldAddedTokens: [String] = []
  /// How tokens are matched that members other than `added_tokens_decoder` define; only with a
  /// `sentencePiecePath`.
  public var namedTokens: [String: AddedToken] = [:]
  /// Those of all these that take the white space before them along.
  public var leftStrippedTokens: Set<String> = []
  /// Whose class of tokenizer the folder names, or has by its kind of model.
  public var family = Family.bert
  /// Of byte-level BPE: whether a space is put before a text; nil where the file does not say.
  public var addsPrefixSpace: Bool?
  /// Whether transformers 5 gives all tokens of a pair type 0: it does for a class without steps of its
  /// own, unless `model_input_names` has the types.
  public var omitsTypes = false
  /// `vocab.txt`; nil if the folder has none.
  public var vocabularyPath: String?
  /// `tokenizer.json`; nil if the folder has none.
  public var tokenizerPath: String?
  /// `spiece.model`, `sentencepiece.bpe.model` or `spm.model`; nil if there is none that the class reads, or a
  /// `tokenizer.json`.
  public var sentencePiecePath: String?
  /// `vocab.json` and `merges.txt`; nil unless the folder has both.
  public var bytePairPaths: BytePairPaths?

  /// How a token is sought in a text.
  public struct AddedToken: Equatable, Sendable {
    public var stripsLeft: Bool
    public var stripsRight: Bool
    public var singleWord: Bool
    public var isNormalized: Bool
    /// Nil where the file gives none that is a number.
    public var id: Int?
  }

  public struct BytePairPaths: Equatable, Sendable {
    public var vocabulary: String
    public var merges: String
  }

  public init() {}
}

extension TokenizerConfiguration {
  /// Reads the folder's `tokenizer_config.json` and `special_tokens_map.json`, if they are there.
  ///
  /// - Throws: if one is there and is malformed, or asks for what is not done.
  public init(folder: String) throws(CheckpointError) {
    if Folder.hasFile("vocab.txt", in: folder) {
      vocabularyPath = Folder.path("vocab.txt", in: folder)
    }
    if Folder.hasFile("tokenizer.json", in: folder) {
      tokenizerPath = Folder.path("tokenizer.json", in: folder)
    }
    let merges = ["vocab.json", "merges.txt"]
    if merges.allSatisfy({ Folder.hasFile($0, in: folder) }) {
      bytePairPaths = BytePairPaths(
        vocabulary: Folder.path(merges[0], in: folder), merges: Folder.path(merges[1], in: folder))
    }
    let file = try Self.file("tokenizer_config.json", in: folder)
    let model = try Self.file("config.json", in: folder)
    family = try Self.family(file, model, in: folder)
    if tokenizerPath == nil, let name = family.sentencePieceName {
      sentencePiecePath = Folder.path(name, in: folder)
    }
    // transformers reads the older file only if the newer one does not list all added tokens, and
    // then it goes before.
    if file?["added_tokens_decoder"] ?? .null == .null,
      let file = try Self.file("special_tokens_map.json", in: folder)
    {
      try addTokens(file)
    }
    omitsTypes = family == .albert || family == .other && file != nil
    if let file {
      try file.check(.tokenizer)
      keepsAccents = try file.boolean("keep_accents")
      splitsPunctuation = try file.boolean("split_by_punct")
      if case .array(let names) = file["model_input_names"] {
        omitsTypes = omitsTypes && !names.contains(.string("token_type_ids"))
      }
      lowercases = try file.boolean("do_lower_case")
      stripsAccents = try file.boolean("strip_accents")
      splitsChineseCharacters = try file.boolean("tokenize_chinese_chars")
      addsPrefixSpace = try file.boolean("add_prefix_space")
      maximumLength = try Self.limit(file)
      try addTokens(file)
      addedTokens = try Self.addedTokens(file)
      if tokenizerPath == nil, sentencePiecePath == nil { try refuseOddTokens(file) }
      // All tokens of RoBERTa's have type 0.
      if family != .roberta { try Self.checkInputs(file, model) }
    }
    let added = try Self.file("added_tokens.json", in: folder)
    if family == .deberta, sentencePiecePath != nil {
      let map = try Self.file("special_tokens_map.json", in: folder)
      try readDeBERTasTokens(file, map: map, added: added)
    } else if let added, tokenizerPath == nil {
      try refuseAddedTokens(added)
    } else if let added, addedTokens == nil {
      oldAddedTokens = added.keys
    }
    if family == .roberta, tokenizerPath == nil, bytePairPaths == nil {
      throw .unsupported(
        path: folder,
        reason: "has neither tokenizer.json nor vocab.json and merges.txt: \(Self.toConvert)")
    }
  }

  /// What makes a `tokenizer.json` of a folder's other files.
  public static let toConvert =
    "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) of transformers writes it"

  private static func file(_ name: String, in folder: String) throws(CheckpointError) -> JSONFile? {
    guard Folder.hasFile(name, in: folder) else { return nil }
    return try JSONFile(path: Folder.path(name, in: folder))
  }

  /// The names that the first file has count.
  private mutating func addTokens(_ file: JSONFile) throws(CheckpointError) {
    let names: [(WritableKeyPath<Self, String?>, key: String)] = [
      (\.unknownToken, "unk_token"), (\.separatorToken, "sep_token"), (\.padToken, "pad_token"),
      (\.classToken, "cls_token"), (\.maskToken, "mask_token"),
    ]
    for (path, key) in names where self[keyPath: path] == nil {
      if file[key] != .null { self[keyPath: path] = try token(key, file[key], file) }
    }
    let isFirst = !listsAdditionalTokens
    for key in ["additional_special_tokens", "extra_special_tokens"] {
      if file[key] != .null { listsAdditionalTokens = true }
      switch file[key] {
      case .null: break
      case .array(let values) where isFirst:
        for value in values { additionalTokens.append(try token(key, value, file)) }
      case .array: break
      // By names of their own.
      case .object(let values):
        for (_, value) in values.sorted(by: { $0.key < $1.key }) {
          additionalTokens.append(try token(key, value, file))
        }
      default: throw file.invalid(key, "must be a list")
      }
    }
    // `bos_token`, and whatever else a folder calls so.
    for key in file.keys where key.hasSuffix("_token") {
      guard !names.contains(where: { $0.key == key }) else { continue }
      switch file[key] {
      case .string(""): break
      case .string, .object:
        let name = try token(key, file[key], file)
        switch key {
        case "bos_token" where beginToken == nil: beginToken = name
        case "eos_token" where endToken == nil: endToken = name
        case "bos_token", "eos_token": continue
        default: break
        }
        additionalTokens.append(name)
      default: break
      }
    }
  }

  /// Tokens of `added_tokens.json` that the vocabulary does not have need a `tokenizer.json`.
  private func refuseAddedTokens(_ file: JSONFile) throws(CheckpointError) {
    let named = [unknownToken, separatorToken, padToken, classToken, maskToken].compactMap(\.self)
    for token in file.keys where !(named + additionalTokens).contains(token) {
      throw .unsupported(
        path: file.path,
        reason: "the added token \"\(token.prefix(64))\" is supported only with a tokenizer.json: "
          + Self.toConvert)
    }
  }

  /// Tokens that are not plain special ones need a `tokenizer.json`.
  private func refuseOddTokens(_ file: JSONFile) throws(CheckpointError) {
    guard case .object(let tokens) = file["added_tokens_decoder"] else { return }
    let named =
      [unknownToken, separatorToken, padToken, classToken, maskToken]
      .compactMap(\.self) + additionalTokens
    for (id, token) in tokens.sorted(by: { $0.key < $1.key }) {
      let isPlain =
        if case .object(let members) = token, case .string(let content)? = members["content"] {
          named.contains(content)
            && ["lstrip", "rstrip", "single_word", "normalized"].allSatisfy {
              members[$0] ?? .boolean(false) == .boolean(false)
            }
        } else {
          false
        }
      guard isPlain else {
        throw .unsupported(
          path: file.path,
          reason: "added_tokens_decoder: token \(id) is supported only with a "
            + "tokenizer.json")
      }
    }
  }

  /// `added_tokens_decoder`, by name.
  private static func addedTokens(
    _ file: JSONFile
  ) throws(CheckpointError) -> [String: AddedToken]? {
    guard case .object(let tokens) = file["added_tokens_decoder"] else { return nil }
    var result: [String: AddedToken] = [:]
    for (id, token) in tokens {
      guard case .object(let members) = token, case .string(let content)? = members["content"]
      else {
        throw file.invalid(
          "added_tokens_decoder", "must have an object with \"content\" for \(id)")
      }
      result[content] = addedToken(members)
      result[content]?.id = Int(id.string)
    }
    return result
  }

  static func addedToken(_ members: [RawText: JSONValue]) -> AddedToken {
    func flag(_ key: String, or fallback: Bool = false) -> Bool {
      members[RawText(key)].map { $0 == .boolean(true) } ?? fallback
    }
    return AddedToken(
      stripsLeft: flag("lstrip"), stripsRight: flag("rstrip"), singleWord: flag("single_word"),
      isNormalized: flag("normalized", or: !flag("special")))
  }

  /// Without types, the second text of a pair has the first one's.
  private static func checkInputs(
    _ file: JSONFile, _ model: JSONFile?
  ) throws(CheckpointError) {
    guard ["bert", "electra"].contains(try model?.string("model_type") ?? "bert") else { return }
    guard case .array(let names) = file["model_input_names"] else {
      guard try file.string("tokenizer_class")?.hasPrefix("DistilBert") == true else { return }
      throw .unsupported(
        path: file.path,
        reason: "tokenizer_class is DistilBERT's, with which a pair's second text has the first "
          + "one's type, and the model has two: write \"BertTokenizer\"")
    }
    guard !names.contains(.string("token_type_ids")) else { return }
    throw .unsupported(
      path: file.path,
      reason: "model_input_names has no \"token_type_ids\": that a pair's second text has the "
        + "first one's type is not supported; add it, or take model_input_names out")
  }

  /// transformers writes int(1e30) for "no limit".
  private static func limit(_ file: JSONFile) throws(CheckpointError) -> Int? {
    // The name of old.
    let key = file.keys.contains("model_max_length") ? "model_max_length" : "max_len"
    switch file[key] {
    case .null: return nil
    case .largeNumber(let digits) where !digits.hasPrefix("-"): return nil
    case .double(let value) where value >= 0x1p31: return nil
    case let value:
      guard let limit = value.integer(in: 1...Int.max) else {
        throw file.invalid(key, "must be a positive integer")
      }
      return limit < 1 << 31 ? limit : nil
    }
  }

  /// A token is written as a string, or as an `AddedToken` object with its `content`.
  private mutating func token(
    _ key: String, _ value: JSONValue, _ file: JSONFile
  ) throws(CheckpointError) -> String {
    switch value {
    case .string(let token) where !token.isEmpty: return token
    case .object(let values):
      guard case .string(let token)? = values["content"], !token.isEmpty else {
        throw file.invalid(key, "must have its text in \"content\"")
      }
      guard tokenizerPath == nil else { return token }
      guard sentencePiecePath == nil else {
        namedTokens[token] = namedTokens[token] ?? Self.addedToken(values)
        return token
      }
      // RoBERTa's text is not normalised, so it is all one to its tokens.
      let odd =
        family == .roberta ? ["rstrip", "single_word"] : ["rstrip", "single_word", "normalized"]
      for option in odd where values[RawText(option)] == .boolean(true) {
        throw .unsupported(
          path: file.path,
          reason: "\(key) with \(option) is supported only with a tokenizer.json: "
            + Self.toConvert)
      }
      if values["lstrip"] == .boolean(true) { leftStrippedTokens.insert(token) }
      return token
    default: throw file.invalid(key, "must be a string")
    }
  }
}
