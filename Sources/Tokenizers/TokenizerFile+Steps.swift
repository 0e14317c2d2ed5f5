import JSON

extension TokenizerFile {
  /// The normalisers, sequences unfolded.
  func normalizers() throws(TokenizerFileError) -> [NormalizerStep] {
    try Self.unfold(member("normalizer"), "normalizers", Self.normalizer)
  }

  func preTokenizers() throws(TokenizerFileError) -> [PreTokenizerStep] {
    try Self.unfold(member("pre_tokenizer"), "pretokenizers", Self.preTokenizer)
  }

  /// The steps of a value that may be null, one step, or a `Sequence` of them.
  private static func unfold<Step>(
    _ value: TokenizerFileValue, _ list: String,
    _ step: (TokenizerFileValue) throws(TokenizerFileError) -> Step
  ) throws(TokenizerFileError) -> [Step] {
    guard !value.isNull else { return [] }
    guard try value.type() == "Sequence" else { return [try step(value)] }
    var steps: [Step] = []
    for element in try value[list].elements() { steps += try unfold(element, list, step) }
    // Real ones have some ten; each is a pass over every text.
    guard steps.count <= 64 else { throw .invalid(place: value.place, reason: "has over 64 steps") }
    return steps
  }

  private static func normalizer(
    _ value: TokenizerFileValue
  ) throws(TokenizerFileError) -> NormalizerStep {
    let type = try value.type()
    switch type {
    case "BertNormalizer":
      let accents = value["strip_accents"]
      return .bert(
        BERTOptions(
          lowercase: try value["lowercase"].boolean(),
          stripAccents: accents.isNull ? nil : try accents.boolean(),
          spacesAroundCJK: try value["handle_chinese_chars"].boolean(),
          cleanText: try value["clean_text"].boolean()))
    case "Lowercase": return .lowercase
    case "NFD": return .nfd
    case "NFKD": return .nfkd
    case "NFC": return .nfc
    case "NFKC": return .nfkc
    case "StripAccents": return .stripAccents
    case "Strip":
      return .strip(
        left: try value["strip_left"].boolean(), right: try value["strip_right"].boolean())
    case "Prepend": return .prepend(try value["prepend"].scalars())
    case "Replace":
      return .replace(try pattern(value["pattern"]), with: try value["content"].scalars())
    case "Precompiled":
      let text = try value["precompiled_charsmap"].string()
      guard let bytes = try? Base64.decode(text.utf8.span), let map = PrecompiledMap(bytes) else {
        throw .invalid(
          place: value["precompiled_charsmap"].place, reason: "is not a map of characters")
      }
      return .precompiled(map)
    default: throw value.unsupported("a normalizer of type \"\(type.prefix(64))\"")
    }
  }

  /// A text, or one of the regular expressions that are known.
  private static func pattern(
    _ value: TokenizerFileValue
  ) throws(TokenizerFileError) -> NormalizerStep.Pattern {
    let expression = value["Regex"]
    guard expression.isNull else {
      switch try expression.string() {
      case " {2,}": return .spaces
      case #"\s+"#: return .whiteSpace
      case #"\s{2,}|[\n\r\t]"#: return .repeatedSpacesOrLineBreak
      case let other: throw expression.unsupported("the regular expression \(other.prefix(64))")
      }
    }
    return .text(try nonEmpty(value["String"]))
  }

  private static func nonEmpty(_ value: TokenizerFileValue) throws(TokenizerFileError) -> [UInt32] {
    let scalars = try value.scalars()
    guard !scalars.isEmpty else { throw .invalid(place: value.place, reason: "is empty") }
    return scalars
  }

  private static func preTokenizer(
    _ value: TokenizerFileValue
  ) throws(TokenizerFileError) -> PreTokenizerStep {
    let type = try value.type()
    switch type {
    case "BertPreTokenizer": return .bert
    case "Whitespace": return .whitespace
    case "WhitespaceSplit": return .whitespaceSplit
    case "Punctuation":
      return .punctuation(
        try value["behavior"].name(PreTokenizerStep.Behavior.self, or: .isolated))
    case "Digits": return .digits(each: try value["individual_digits"].boolean())
    case "Metaspace": return .metaspace(try metaspace(value))
    case "ByteLevel":
      return .byteLevel(
        addsPrefixSpace: try value["add_prefix_space"].boolean(),
        splits: try value["use_regex"].boolean(or: true))
    case "Split":
      guard try !value["invert"].boolean() else { throw value["invert"].unsupported("true") }
      let expression = value["pattern"]["Regex"]
      guard expression.isNull else {
        guard try expression.string() == LlamaWords.expression,
          try value["behavior"].string() == "Isolated"
        else { throw value["pattern"].unsupported("a regular expression other than Llama 3's") }
        return .llamaWords
      }
      return .split(
        on: try nonEmpty(value["pattern"]["String"]),
        try value["behavior"].name(PreTokenizerStep.Behavior.self))
    default: throw value.unsupported("a pre_tokenizer of type \"\(type.prefix(64))\"")
    }
  }

  /// Old files have `add_prefix_space`, new ones `prepend_scheme`.
  private static func metaspace(
    _ value: TokenizerFileValue
  ) throws(TokenizerFileError) -> PreTokenizerStep.Metaspace {
    let addsPrefix = try value["add_prefix_space"].boolean(or: true)
    let scheme = try value["prepend_scheme"]
      .name(PreTokenizerStep.Metaspace.Scheme.self, or: addsPrefix ? .always : .never)
    guard addsPrefix || scheme == .never else {
      throw .invalid(place: value.place, reason: "has a prepend_scheme and no add_prefix_space")
    }
    return PreTokenizerStep.Metaspace(
      replacement: try value["replacement"].scalar(), prepends: scheme,
      splits: try value["split"].boolean(or: true))
  }

  func decoder() throws(TokenizerFileError) -> TokenDecoder {
    let value = try member("decoder")
    guard !value.isNull else { return .spaces }
    let type = try value.type()
    switch type {
    case "WordPiece":
      return .wordPiece(
        prefix: try value["prefix"].string(or: "##"), cleansUp: try value["cleanup"].boolean())
    case "Metaspace":
      let metaspace = try Self.metaspace(value)
      return .metaspace(
        replacement: metaspace.replacement, dropsFirst: metaspace.prepends != .never)
    case "ByteLevel": return .byteLevel
    default: throw value.unsupported("a decoder of type \"\(type.prefix(64))\"")
    }
  }
}
