/// How a folder's text is split into tokens: Hugging Face's `tokenizer_config.json`.
///
/// What the file does not say has the default of transformers' `BertTokenizer`.
public struct TokenizerConfiguration: Equatable, Sendable {
  public var lowercases = true
  /// nil: accents are stripped when lower-casing.
  public var stripsAccents: Bool?
  /// Whether CJK ideographs are tokens of their own.
  public var splitsChineseCharacters = true
  /// Tokens, special ones included; nil where the file says nothing or "no limit" (1e30).
  public var maximumLength: Int?
  public var unknownToken = "[UNK]"
  public var separatorToken = "[SEP]"
  public var padToken = "[PAD]"
  public var classToken = "[CLS]"
  public var maskToken = "[MASK]"
  /// `vocab.txt`; nil if the folder has none.
  public var vocabularyPath: String?
  /// `tokenizer.json`; nil if the folder has none.
  public var tokenizerPath: String?

  public init() {}
}

extension TokenizerConfiguration {
  /// Reads the folder's `tokenizer_config.json`, if there is one.
  ///
  /// - Throws: if the file is there and is malformed.
  public init(folder: String) throws(CheckpointError) {
    if Folder.hasFile("vocab.txt", in: folder) {
      vocabularyPath = Folder.path("vocab.txt", in: folder)
    }
    if Folder.hasFile("tokenizer.json", in: folder) {
      tokenizerPath = Folder.path("tokenizer.json", in: folder)
    }
    let path = Folder.path("tokenizer_config.json", in: folder)
    guard Folder.hasFile("tokenizer_config.json", in: folder) else { return }
    let file = try JSONFile(path: path)
    try Self.refuseOtherTokenizers(file)
    lowercases = try file.boolean("do_lower_case") ?? lowercases
    stripsAccents = try file.boolean("strip_accents")
    splitsChineseCharacters =
      try file.boolean("tokenize_chinese_chars") ?? splitsChineseCharacters
    maximumLength = try Self.limit(file)
    unknownToken = try Self.token("unk_token", file) ?? unknownToken
    separatorToken = try Self.token("sep_token", file) ?? separatorToken
    padToken = try Self.token("pad_token", file) ?? padToken
    classToken = try Self.token("cls_token", file) ?? classToken
    maskToken = try Self.token("mask_token", file) ?? maskToken
  }

  /// A BERT model may come with a tokenizer that splits text in another way altogether.
  private static func refuseOtherTokenizers(_ file: JSONFile) throws(CheckpointError) {
    // The last two are the general ones, which say nothing; then `tokenizer.json` decides.
    let known = [
      "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "PreTrainedTokenizer",
      "TokenizersBackend",
    ]
    guard let name = try file.string("tokenizer_class") else { return }
    guard known.contains(name) || known.contains(where: { $0 + "Fast" == name }) else {
      throw .unsupported(
        path: file.path,
        reason: "tokenizer_class \"\(name)\" is not supported, only BertTokenizer's kind is")
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

  /// A token is written as a string, or as an `AddedToken` object with its `content`.
  private static func token(_ key: String, _ file: JSONFile) throws(CheckpointError) -> String? {
    switch file[key] {
    case .null: return nil
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
