public import Checkpoints
public import EncoderContract
public import Tokenizers

extension Tokenizer {
  /// The leading token of a prompt, if the tokenizer would split or normalise it, so that it must be
  /// registered as a special token; else nil.
  ///
  /// Source: sentence-transformers 6.2, `MultiVectorEncoder._register_prefix_tokens`.
  func marker(_ prompt: String) -> String? {
    guard let word = prompt.split(whereSeparator: \.isWhitespace).first else { return nil }
    let name = [prompt, String(word)].first { name in
      addedFlags[name] != nil || vocabulary.addedID(of: name) != nil
    }
    guard let name else { return nil }
    // One that is sought in normalised text is found in other spellings too.
    if lowercases, addedFlags[name]?.isNormalized == true, name.lowercased() != name { return name }
    guard let id = vocabulary.addedID(of: name),
      let tokens = try? tokenize(.single(name), maxTokens: 16, withSources: true)
    else { return nil }
    let own = zip(tokens.sequence.ids, tokens.sources).filter { $1 != nil }.map(\.0)
    return own == [id] ? nil : name
  }
}

extension ModelFiles {
  /// Tokens that FlagEmbedding gives no weight in a `sparse_embedding` of BGE-M3; nil for other folders.
  ///
  /// - Parameters:
  ///   - tokenizer: the folder's.
  ///   - sentence: the modules that are used.
  public func unweightedTokens(
    _ tokenizer: Tokenizer, _ sentence: SentenceModules?
  ) -> Set<Int32>? {
    guard sentence?.tokenWeights != nil else { return nil }
    let names = [
      tokenizerFiles.classToken ?? "<s>", tokenizerFiles.separatorToken ?? "</s>",
      tokenizerFiles.unknownToken ?? "<unk>",
    ]
    return Set(names.compactMap(tokenizer.vocabulary.addedID) + [tokenizer.padding])
  }

  /// How queries and documents are read for `colbert`; empty if there is none.
  ///
  /// - Parameters:
  ///   - tokenizer: the folder's.
  ///   - sentence: the modules that are used.
  ///   - maxTokens: of a text, in place of the folder's limits; a query that has a fixed length keeps that.
  /// - Throws: `LoadingError` if the tokenizer has not what the folder asks for.
  public func colbertInputs(
    _ tokenizer: Tokenizer, _ sentence: SentenceModules?, maxTokens: Int? = nil
  ) throws -> [InputType: ColBERTInput] {
    guard let sentence, let vectors = sentence.tokenVectors else { return [:] }
    let expansion = try expansion(vectors, tokenizer)
    // Words that are no token are passed over, as by sentence-transformers.
    let skipped = Set(vectors.skippedWords.compactMap(tokenizer.vocabulary.addedID))
    let positions = checkpoint.configuration.positionCount
    var inputs: [InputType: ColBERTInput] = [:]
    for type in InputType.allCases {
      let isQuery = type == .query
      var limit = maxTokens ?? vectors.maxTokens[type] ?? self.maxTokens
      if isQuery, let expansion, vectors.expansion?.isFixed == true { limit = expansion.length }
      inputs[type] = ColBERTInput(
        // sentence-transformers predefines these two prompts as empty, so that those named passage and
        // corpus are never used. FlagEmbedding has none.
        prompt: sentence.poolings.isEmpty ? sentence.prompts[type.rawValue] ?? "" : nil,
        maxTokens: min(limit, positions),
        expansion: isQuery ? expansion : nil,
        scored: ScoredTokens(
          skipped: vectors.skippedIn.contains(type) ? skipped : [],
          kept: isQuery ? nil : vectors.keptTokens.map(Set.init),
          expansion: isQuery ? expansion?.token : nil, skipsFirst: vectors.skipsFirst))
    }
    return inputs
  }

  private func expansion(
    _ vectors: TokenVectors, _ tokenizer: Tokenizer
  ) throws -> QueryExpansion? {
    guard let expansion = vectors.expansion else { return nil }
    let name = expansion.token ?? maskToken
    guard let token = tokenizer.vocabulary.addedID(of: name) else {
      throw LoadingError(
        "\(path): queries are expanded with the token \"\(name.prefix(64))\", which the tokenizer does "
          + "not have: name one of its tokens in query_expansion of sentence_bert_config.json")
    }
    guard token != tokenizer.padding else {
      throw LoadingError(
        "\(path): queries are expanded with the padding token \"\(name.prefix(64))\", which is not "
          + "supported: name another in query_expansion of sentence_bert_config.json")
    }
    let positions = checkpoint.configuration.positionCount
    guard expansion.length <= positions else {
      throw LoadingError(
        "\(path): queries are expanded to \(expansion.length) tokens (query_expansion, query_length or "
          + "query_maxlen), and the model has \(positions) positions")
    }
    return QueryExpansion(
      token: token, length: expansion.length, isAttended: expansion.isAttended)
  }
}
