/// What a folder says of its tokens beside the vocabulary: Hugging Face's `tokenizer_config.json`,
/// and `special_tokens_map.json` of old.
public struct TokenizerConfiguration: Equatable, Sendable {
  /// nil where the file does not say: transformers' `BertTokenizer` lower-cases.
  public var lowercases: Bool?
  /// nil: accents are stripped when lower-casing.
  public var stripsAccents: Bool?
  /// Whether CJK ideographs are tokens of their own; nil where the file does not say.
  public var splitsChineseCharacters: Bool?
  /// Tokens, special ones included; nil where the file says nothing or "no limit" (1e30).
  public var maximumLength: Int?
  /// Names of special tokens; nil where no file has them.
  public var unknownToken: String?
  public var separatorToken: String?
  public var padToken: String?
  public var classToken: String?
  public var maskToken: String?
  /// More special tokens that text may name.
  public var additionalTokens: [String] = []
  /// Whether the folder's class of tokenizer is BERT's, by name or for want of one.
  public var isBERT = true
  /// `vocab.txt`; nil if the folder has none.
  public var vocabularyPath: String?
  /// `tokenizer.json`; nil if the folder has none.
  public var tokenizerPath: String?

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
    if let file = try Self.file("tokenizer_config.json", in: folder) {
      isBERT = try Self.isBERT(file, needsIt: tokenizerPath == nil)
      lowercases = try file.boolean("do_lower_case")
      stripsAccents = try file.boolean("strip_accents")
      splitsChineseCharacters = try file.boolean("tokenize_chinese_chars")
      maximumLength = try Self.limit(file)
      if let side = try file.string("truncation_side"), side != "right" {
        throw .unsupported(
          path: file.path,
          reason: "truncation_side \"\(side)\" is not supported: take it out, and ask for "
            + "truncate=left")
      }
      try addTokens(file)
      if tokenizerPath == nil { try refuseOddTokens(file) }
    }
    if let file = try Self.file("special_tokens_map.json", in: folder) { try addTokens(file) }
    if tokenizerPath == nil, let file = try Self.file("added_tokens.json", in: folder) {
      throw .unsupported(
        path: file.path, reason: "added tokens are supported only with a tokenizer.json")
    }
  }

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
      self[keyPath: path] = try Self.token(key, file)
    }
    guard additionalTokens.isEmpty else { return }
    switch file["additional_special_tokens"] {
    case .null: break
    case .array(let values):
      for value in values {
        additionalTokens.append(try Self.token("additional_special_tokens", value, file))
      }
    default: throw file.invalid("additional_special_tokens", "must be a list")
    }
  }

  /// A BERT model may come with a tokenizer that splits text in another way altogether: then only
  /// a `tokenizer.json` says how.
  private static func isBERT(
    _ file: JSONFile, needsIt: Bool
  ) throws(CheckpointError) -> Bool {
    // The last two are the general ones, which say nothing.
    let known = ["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer"]
    let general = ["PreTrainedTokenizer", "TokenizersBackend"]
    func isOne(of names: [String], _ name: String) -> Bool {
      names.contains(name) || names.contains { $0 + "Fast" == name }
    }
    guard let name = try file.string("tokenizer_class") else { return true }
    let isBERT = isOne(of: known, name)
    guard isBERT || !needsIt || isOne(of: general, name) else {
      throw .unsupported(
        path: file.path,
        reason: "tokenizer_class \"\(name)\" is supported only with a tokenizer.json")
    }
    return isBERT
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
          reason: "added_tokens_decoder: token \(id.prefix(20)) is supported only with a "
            + "tokenizer.json")
      }
    }
  }

  /// transformers writes int(1e30) for "no limit".
  private static func limit(_ file: JSONFile) throws(CheckpointError) -> Int? {
    let key = "model_max_length"
    switch file[key] {
    case .null: return nil
    case .integer(let value) where value > 0: return value < 1 << 31 ? value : nil
    case .number(let value) where value >= 0x1p31: return nil
    case .number(let value) where value >= 1 && value == value.rounded(): return Int(value)
    default: throw file.invalid(key, "must be a positive integer")
    }
  }

  /// A token is written as a string, or as an `AddedToken` object with its `content`; nil if there
  /// is none.
  private static func token(_ key: String, _ file: JSONFile) throws(CheckpointError) -> String? {
    let value = file[key]
    return value == .null ? nil : try token(key, value, file)
  }

  private static func token(
    _ key: String, _ value: JSONFileValue, _ file: JSONFile
  ) throws(CheckpointError) -> String {
    switch value {
    case .string(let token) where !token.isEmpty: return token
    case .object(let values):
      guard case .string(let token)? = values["content"], !token.isEmpty else {
        throw file.invalid(key, "must have its text in \"content\"")
      }
      return token
    default: throw file.invalid(key, "must be a string")
    }
  }
}
