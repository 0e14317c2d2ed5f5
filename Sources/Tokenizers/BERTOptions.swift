/// Whose rules a BERT tokenizer follows: a folder has those of the framework that it comes from.
public enum TokenizerRules: String, CaseIterable, Sendable {
  /// The `tokenizers` library's.
  case huggingFace = "hugging-face"
  /// TensorFlow Text's `BertTokenizer`, as in `bert_en_uncased_preprocess/3`: whether to lower-case
  /// is its only option, and no token that the text names is one.
  case tensorFlow = "tensorflow"
}

/// How text is normalised before it is split into tokens: the members of `BertNormalizer` in a
/// `tokenizer.json`, and of `tokenizer_config.json` by other names.
public struct BERTOptions: Hashable, Sendable {
  /// Lower-case the text (`lowercase`, `do_lower_case`): on for uncased models.
  public var lowercase: Bool
  /// Decompose the text and drop its non-spacing marks (`strip_accents`); nil: when lower-casing.
  public var stripAccents: Bool?
  /// Make each CJK ideograph a word (`handle_chinese_chars`, `tokenize_chinese_chars`).
  public var spacesAroundCJK: Bool
  /// Remove control characters, U+0000 and U+FFFD (`clean_text`).
  public var cleanText: Bool

  public init(
    lowercase: Bool = true, stripAccents: Bool? = nil, spacesAroundCJK: Bool = true,
    cleanText: Bool = true
  ) {
    self.lowercase = lowercase
    self.stripAccents = stripAccents
    self.spacesAroundCJK = spacesAroundCJK
    self.cleanText = cleanText
  }

  /// No change at all.
  static let none = BERTOptions(
    lowercase: false, stripAccents: false, spacesAroundCJK: false, cleanText: false)

  var stripsAccents: Bool { stripAccents ?? lowercase }
}
