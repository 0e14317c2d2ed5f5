public import Checkpoints
public import EncoderContract
public import Tokenizers

extension Tokenizer {
  /// The token that a prompt begins with and that has to be sought as a special one, for text that is
  /// normalised or split has it in pieces; nil if there is none.
  ///
  /// Source: sentence-transformers 6.2, `MultiVectorEncoder._register_prefix_tokens`.
  func marker(_ prompt: String) -> String? {
    let words = prompt.split(whereSeparator: \.isWhitespace)
    guard let first = words.first else { return nil }
    let name = [prompt, String(first)].first { name in
      addedFlags[name] != nil || vocabulary.id(of: name) != nil
    }
    guard let name else { return nil }
    // One that is sought in normalised text is found in other spellings too.
    if lowercases, addedFlags[name]?.isNormalized == true, name.lowercased() != name { return name }
    guard let id = vocabulary.id(of: name),
      let tokens = try? tokenize(.single(name), maxTokens: 16, withSources: true)
    else { return nil }
    let own = zip(tokens.sequence.ids, tokens.sources).filter { $1 != nil }.map(\.0)
    return own == [id] ? nil : name
  }
}

extension ModelFiles {
  /// Tokens that FlagEmbedding gives no weight in a `sparse_embedding` of BGE-M3.
  ///
  /// - Parameters:
  ///   - tokenizer: the folder's.
  ///   - sentence: the modules that are used.
  public func unweightedTokens(
    _ tokenizer: Tokenizer, _ sentence: SentenceModules?
  ) -> Set<Int32> {
    guard sentence?.tokenWeights != nil else { return [] }
    let names = [
      tokenizerFiles.classToken ?? "<s>", tokenizerFiles.separatorToken ?? "</s>",
      tokenizerFiles.unknownToken ?? "<unk>",
    ]
    return Set(names.compactMap(tokenizer.vocabulary.id) + [tokenizer.padding])
  }

  /// How queries and documents are read for `colbert`; empty if there is none.
  ///
  /// - Parameters:
  ///   - tokenizer: the folder's.
  ///   - sentence: the modules that are used.
  ///   - maxTokens: of a text, if less than the folder says.
  /// - Throws: `LoadingError` if the tokenizer has not what the folder asks for.
  public func colbertInputs(
    _ tokenizer: Tokenizer, _ sentence: SentenceModules?, maxTokens: Int? = nil
  ) throws -> [InputType: ColBERTInput] {
    guard let sentence, let vectors = sentence.tokenVectors else { return [:] }
    let expansion = try expansion(vectors, tokenizer)
    let skipped = ids(ofSkipped: vectors.skippedWords, tokenizer)
    let positions = checkpoint.configuration.positionCount
    var inputs: [InputType: ColBERTInput] = [:]
    for type in InputType.allCases {
      let isQuery = type == .query
      var limit = vectors.maxTokens[type] ?? self.maxTokens
      if isQuery, let expansion, vectors.expansion?.isFixed == true { limit = expansion.length }
      inputs[type] = ColBERTInput(
        // The library has both, empty, before the folder names its own.
        prompt: sentence.prompts[type.rawValue] ?? "",
        maxTokens: min(limit, positions, maxTokens ?? positions),
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
    guard let token = tokenizer.vocabulary.id(of: name) else {
      throw LoadingError(
        "\(path): query_expansion fills queries up with \"\(name.prefix(64))\", which the tokenizer "
          + "does not have: name one of its tokens in query_expansion")
    }
    let positions = checkpoint.configuration.positionCount
    guard expansion.length <= positions else {
      throw LoadingError(
        "\(path): query_expansion fills queries up to \(expansion.length) tokens, and the model has "
          + "\(positions) positions")
    }
    return QueryExpansion(
      token: token, length: expansion.length, isAttended: expansion.isAttended)
  }

  /// Words that are no token are passed over, as by sentence-transformers.
  private func ids(ofSkipped words: [String], _ tokenizer: Tokenizer) -> Set<Int32> {
    Set(words.compactMap(tokenizer.vocabulary.id))
  }
}
