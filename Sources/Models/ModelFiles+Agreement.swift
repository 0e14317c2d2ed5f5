import Checkpoints
public import Tokenizers

/// A folder says the same thing in several files, and libraries differ in which they believe:
/// `tokenizers` takes all from `tokenizer.json`; transformers' classes take the vocabulary from it,
/// and make the rest of their own and of `tokenizer_config.json`. Where these are two tokenizers,
/// there is no one answer.
extension ModelFiles {
  /// What whoever starts this should know, by a short name: where the folder does not say how text is
  /// read, or libraries differ.
  public func notes(_ tokenizer: Tokenizer) -> [(name: String, value: String)] {
    [
      ("case", caseNote), ("tokenizer", stepsNote(tokenizer)),
      ("token_types", typesNote(tokenizer)),
      ("head", headNote),
    ].compactMap { name, note in
      note.map { (name, $0) }
    }
  }

  /// Where `config.json` names a head, and the weights have none that fits.
  private var headNote: String? {
    let reason = checkpoint.head.unmetExpectation ?? checkpoint.maskedLM.unmetExpectation
    return reason.map { "served without: \($0)" }
  }

  func checkAgreement(of path: String, _ tokenizer: Tokenizer) throws {
    try checkTokens(of: path, tokenizer)
    let files = tokenizerFiles
    switch files.family {
    case .bert:
      guard case .bert(let options) = tokenizer.standardSteps,
        tokenizer.frames(
          with: files.classToken ?? "[CLS]", files.separatorToken ?? "[SEP]", asRoBERTa: false)
      else { throw otherSteps(path, "BertTokenizer") }
      try checkOptions(of: path, options)
    case .mpnet:
      guard case .bert(let options) = tokenizer.standardSteps, framesAsRoBERTa(tokenizer)
      else { throw otherSteps(path, "MPNetTokenizer") }
      try checkOptions(of: path, options)
    case .roberta:
      guard tokenizer.standardSteps == .roberta(addsPrefixSpace: files.addsPrefixSpace ?? false),
        framesAsRoBERTa(tokenizer)
      else { throw otherSteps(path, "RobertaTokenizer") }
    case .xlmRoberta, .camembert:
      guard case .xlmRoberta(let addsPrefixSpace, _)? = tokenizer.standardSteps,
        addsPrefixSpace == files.addsPrefixSpace ?? true, framesAsRoBERTa(tokenizer)
      else { throw otherSteps(path, "XLMRobertaTokenizer or CamembertTokenizer") }
    case .albert:
      guard
        case .albert(let accents, let lowercases, let addsPrefixSpace, _)? = tokenizer.standardSteps,
        accents == files.keepsAccents ?? false, lowercases == files.lowercases ?? true,
        addsPrefixSpace == files.addsPrefixSpace ?? true,
        tokenizer.frames(
          with: files.classToken ?? "[CLS]", files.separatorToken ?? "[SEP]", asRoBERTa: false)
      else { throw otherSteps(path, "AlbertTokenizer") }
    case .deberta:
      guard
        case .deberta(let lowercases, let splits, let addsPrefixSpace, _)? = tokenizer.standardSteps,
        lowercases == files.lowercases ?? false, splits == files.splitsPunctuation ?? false,
        addsPrefixSpace == files.addsPrefixSpace ?? true,
        tokenizer.frames(
          with: files.classToken ?? "[CLS]", files.separatorToken ?? "[SEP]", asRoBERTa: false)
      else { throw otherSteps(path, "DebertaV2Tokenizer") }
    case .other: break
    }
  }

  /// XLM-R's and ALBERT's converters have written other steps for white space over the years, DeBERTa's
  /// also for compatibility characters. `tokenizers` and transformers up to 4 take the file's, as is done
  /// here; transformers 5 takes its class's.
  private func stepsNote(_ tokenizer: Tokenizer) -> String? {
    if tokenizerFiles.family == .deberta, tokenizerFiles.sentencePiecePath != nil {
      return "spm.model is used as by transformers 5, which takes its pieces alone: not what its "
        + "normalizer makes of characters (full-width letters, ligatures), nor byte_fallback. "
        + "transformers 4 normalizes; a tokenizer.json that it writes is used as it is"
    }
    switch (tokenizerFiles.family, tokenizer.standardSteps) {
    case (.xlmRoberta, .xlmRoberta(_, isCurrent: false)?),
      (.camembert, .xlmRoberta(_, isCurrent: false)?):
      break
    case (.albert, .albert(_, _, _, isCurrent: false)?),
      (.deberta, .deberta(_, _, _, isCurrent: false)?):
      break
    default: return nil
    }
    guard tokenizerRules == .huggingFace else { return nil }
    let differences =
      tokenizerFiles.family == .deberta
      ? "repeated spaces and compatibility characters" : "repeated spaces"
    return "tokenizer.json is used as it is, as by tokenizers, text-embeddings-inference and "
      + "transformers 4; transformers 5 replaces its steps for white space with its class's, which "
      + "differ for \(differences). \"tokenizer_class\": \"PreTrainedTokenizerFast\" in "
      + "tokenizer_config.json makes it use the file too"
  }

  private func typesNote(_ tokenizer: Tokenizer) -> String? {
    let hasFile = tokenizerFiles.tokenizerPath != nil
    guard tokenizerFiles.omitsTypes, hasFile || tokenizerFiles.sentencePiecePath != nil,
      checkpoint.configuration.typeCount > 1, tokenizer.highestType(ofPairs: true) > 0
    else { return nil }
    return
      "tokens have the types that \(hasFile ? "tokenizer.json" : "AlbertTokenizer") gives them, as "
      + "in tokenizers, text-embeddings-inference and transformers 4; transformers 5 gives those of a "
      + "pair's second text type 0. \"model_input_names\": [\"input_ids\", \"token_type_ids\", "
      + "\"attention_mask\"] in tokenizer_config.json makes it use the types too"
  }

  /// Tokens of `vocab.txt` that a text may name must be there.
  func checkNames(of path: String, _ tokenizer: Tokenizer) throws {
    for name in tokenizerFiles.additionalTokens where tokenizer.vocabulary.id(of: name) == nil {
      throw LoadingError(
        "\(path) has no \"\(name)\", which tokenizer_config.json or special_tokens_map.json names as "
          + "a special token (bos_token, additional_special_tokens, extra_special_tokens or the like); "
          + "that is supported only with a tokenizer.json: "
          + TokenizerConfiguration.toConvert)
    }
  }

  /// The vocabulary must be one of MPNet's.
  func checkClass(of path: String, _ vocabulary: Vocabulary, _ tokens: SpecialTokens) throws {
    for name in [tokens.classification, tokens.separator, tokens.padding, tokens.unknown]
    where vocabulary.id(of: name) == nil {
      throw LoadingError(
        "\(path) has no \"\(name)\", which MPNetTokenizer needs (tokenizer_class in tokenizer_config.json, "
          + "or the model's own): give the model's vocabulary, or write its class")
    }
  }

  private func framesAsRoBERTa(_ tokenizer: Tokenizer) -> Bool {
    tokenizer.frames(
      with: tokenizerFiles.classToken ?? "<s>", tokenizerFiles.separatorToken ?? "</s>",
      asRoBERTa: true)
  }

  private func otherSteps(_ path: String, _ name: String) -> LoadingError {
    LoadingError(
      "\(path) has other steps than the class \(name) makes of its vocabulary and of "
        + "tokenizer_config.json (normalizer, pre_tokenizer, add_prefix_space, post_processor), and "
        + "libraries differ in which they take. If the tokenizer.json is right, write "
        + "\"tokenizer_class\": \"PreTrainedTokenizerFast\""
        + (tokenizerFiles.family == .bert
          ? " and \"model_input_names\": [\"input_ids\", \"token_type_ids\", \"attention_mask\"]"
          : "")
        + " in tokenizer_config.json")
  }

  private func checkOptions(of path: String, _ options: BERTOptions) throws {
    let lowercases = tokenizerFiles.lowercases ?? true
    let pairs = [
      ("do_lower_case", lowercases, options.lowercase),
      (
        "strip_accents", tokenizerFiles.stripsAccents ?? lowercases,
        options.stripAccents ?? options.lowercase
      ),
      (
        "tokenize_chinese_chars", tokenizerFiles.splitsChineseCharacters ?? true,
        options.spacesAroundCJK
      ),
    ]
    for (name, stated, actual) in pairs where stated != actual {
      throw LoadingError(
        "\(path) does not do what \(name) in tokenizer_config.json says (\(stated), or not given: "
          + "that is its default), and libraries differ in which of the two they believe: set \(name) "
          + "to \(actual) there if the tokenizer.json is right")
    }
  }

  /// The tokens that a text may name, and how they are sought.
  private func checkTokens(of path: String, _ tokenizer: Tokenizer) throws {
    let files = tokenizerFiles
    let named =
      [
        files.unknownToken, files.separatorToken, files.padToken, files.classToken, files.maskToken,
      ].compactMap(\.self) + files.additionalTokens + files.oldAddedTokens
    for name in named where tokenizer.addedFlags[name] == nil {
      throw otherTokens(path, "has no added token \"\(name)\", which another file names")
    }
    guard let stated = files.addedTokens else { return }
    let plain = AddedTokenFlags(
      stripsLeft: false, stripsRight: false, singleWord: false, isNormalized: false)
    for (name, token) in stated.sorted(by: { $0.key < $1.key }) {
      guard tokenizer.addedFlags[name] == AddedTokenFlags(token) else {
        throw otherTokens(
          path, "does not have the added token \"\(name)\" as tokenizer_config.json has it")
      }
    }
    guard files.family != .other else { return }
    for (name, flags) in tokenizer.addedFlags where stated[name] == nil {
      guard flags == plain, named.contains(name) else {
        throw otherTokens(
          path, "has the added token \"\(name)\", and tokenizer_config.json does not list it")
      }
    }
  }

  private func otherTokens(_ path: String, _ what: String) -> LoadingError {
    LoadingError(
      "\(path) \(what); libraries differ in which they believe. Write the folder's tokenizer anew: "
        + TokenizerConfiguration.toConvert)
  }
}
