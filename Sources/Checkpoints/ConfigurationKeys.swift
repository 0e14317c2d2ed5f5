import JSON

/// Every key of the configuration files that the frameworks read, and what becomes of it here:
/// honoured, known to change no answer, or refused. A key that is not in these tables is refused
/// where the framework would fail or might act on it.
struct ConfigurationKeys: Sendable {
  /// What a key may say.
  enum Rule: Sendable {
    /// Read elsewhere.
    case honoured
    /// Whatever it says, no answer changes.
    case withoutEffect
    /// Only one of these values; null and a missing key are always right.
    case only([JSONValue], toDo: String)
  }

  let rules: [String: Rule]
  /// Whether a key that is not here is refused.
  let isComplete: Bool

  init(
    honoured: [String] = [], withoutEffect: [String] = [], only: [String: Rule] = [:],
    isComplete: Bool = true
  ) {
    var rules = only
    for key in honoured { rules[key] = .honoured }
    for key in withoutEffect { rules[key] = .withoutEffect }
    self.rules = rules
    self.isComplete = isComplete
  }

  private static let nothing: [JSONValue] = [.object([:]), .array([]), .string("")]
  private static let sentence = Rule.only(
    [.string("sentence_embedding")], toDo: "only \"sentence_embedding\" is supported")
  private static let tokens = Rule.only(
    [.string("token_embeddings")], toDo: "only \"token_embeddings\" is supported")
  static let none = Rule.only(
    nothing, toDo: "it is not supported; take it out if the model can do without")

  static let onlyFalse = Rule.only([.boolean(false)], toDo: "only false is supported")

  /// `1_Pooling/config.json`.
  static let pooling = ConfigurationKeys(
    honoured: [
      "pooling_mode", "pooling_mode_cls_token", "pooling_mode_max_tokens",
      "pooling_mode_mean_tokens", "pooling_mode_mean_sqrt_len_tokens",
      "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken", "include_prompt",
    ],
    // The encoder's own size counts.
    withoutEffect: ["word_embedding_dimension", "embedding_dimension"])

  /// `2_Dense/config.json`.
  static let dense = ConfigurationKeys(
    honoured: ["in_features", "out_features", "bias", "activation_function", "use_residual"],
    only: ["module_input_name": sentence, "module_output_name": sentence])

  /// The same over the vectors of tokens. The input and output names may be missing. Other keys, which
  /// PyLate writes, are ignored, as by sentence-transformers.
  static let tokenDense = ConfigurationKeys(
    honoured: ["in_features", "out_features", "bias", "activation_function", "use_residual"],
    only: ["module_input_name": tokens, "module_output_name": tokens], isComplete: false)

  /// `3_Normalize/config.json` over the vectors of tokens.
  static let tokenNormalize = ConfigurationKeys(
    only: ["module_input_name": tokens, "module_output_name": tokens], isComplete: false)

  /// `2_MultiVectorMask/config.json`.
  static let multiVectorMask = ConfigurationKeys(
    honoured: ["skiplist_words", "skiplist_tasks", "keep_only_token_ids"])

  /// `query_expansion` of `sentence_bert_config.json`.
  static let queryExpansion = ConfigurationKeys(
    honoured: ["strategy", "attend", "token", "length"])

  static let layerNorm = ConfigurationKeys(honoured: ["dimension"])

  static let normalize = ConfigurationKeys(
    only: ["module_input_name": sentence, "module_output_name": sentence],
    // sentence-transformers passes over other keys.
    isComplete: false)

  /// `sentence_bert_config.json` and its like.
  static let transformer = transformer(
    task: "feature-extraction", output: "last_hidden_state", supportNote: "is supported")
  /// The same of a `SparseEncoder`.
  static let maskedLMTransformer = transformer(
    task: "fill-mask", output: "logits", supportNote: "is supported before SpladePooling")

  /// The same of a `MultiVectorEncoder`.
  static let multiVectorTransformer = transformer(
    task: "feature-extraction", output: "last_hidden_state", supportNote: "is supported",
    expandsQueries: true)

  private static func transformer(
    task: String, output: String, supportNote: String, expandsQueries: Bool = false
  ) -> ConfigurationKeys {
    let expansion = ["query_expansion", "query_length", "document_length"]
    let forward = JSONValue.object([
      "method": .string("forward"), "method_output_name": .string(output),
    ])
    let refused = expandsQueries ? [] : expansion.map { ($0, none) }
    return ConfigurationKeys(
      honoured: ["max_seq_length", "do_lower_case"] + (expandsQueries ? expansion : []),
      withoutEffect: ["unpad_inputs"],
      only: [
        "transformer_task": .only([.string(task)], toDo: "only \"\(task)\" \(supportNote)"),
        "module_output_name": .only(
          [.string("token_embeddings")], toDo: "only \"token_embeddings\" is supported"),
        "modality_config": .only(
          [.object(["text": forward])],
          toDo: "only text through forward and its \(output) is supported"),
        "processing_kwargs": none, "tokenizer_name_or_path": none, "model_args": none,
        "model_kwargs": none, "tokenizer_args": none, "processor_kwargs": none,
        "config_args": none, "config_kwargs": none,
      ].merging(refused) { $1 })
  }

  /// `1_SpladePooling/config.json`.
  static let spladePooling = ConfigurationKeys(
    honoured: ["pooling_strategy", "activation_function"],
    // The vocabulary's own size counts; rows are pooled as they come.
    withoutEffect: ["word_embedding_dimension", "embedding_dimension", "chunk_size"])

  /// `tokenizer_config.json`. transformers hands its keys on to the class of tokenizer, and those
  /// that no class asks for change nothing.
  static let tokenizer = ConfigurationKeys(
    honoured: [
      "do_lower_case", "strip_accents", "tokenize_chinese_chars", "add_prefix_space",
      "keep_accents", "split_by_punct",
      "model_max_length", "max_len", "unk_token", "sep_token", "pad_token", "cls_token",
      "mask_token", "bos_token", "eos_token", "additional_special_tokens", "extra_special_tokens",
      "model_specific_special_tokens", "added_tokens_decoder", "tokenizer_class",
      "word_tokenizer_type", "subword_tokenizer_type", "model_input_names",
    ],
    // The first is for decoding; places are trimmed as `tokenizer.json` says, which has the map too.
    // transformers 5 runs no sampling of `sp_model_kwargs`.
    withoutEffect: [
      "_spm_precompiled_charsmap", "sp_model_kwargs", "vocab_type",
      "clean_up_tokenization_spaces", "trim_offsets", "errors", "vocab", "merges", "vocab_file",
      "merges_file", "tokenizer_file", "special_tokens_map_file", "name_or_path", "backend",
      "processor_class", "chat_template", "verbose", "is_local", "local_files_only",
    ],
    only: [
      "init_inputs": none,
      "truncation_side": .only(
        [.string("right")], toDo: "take it out, and ask for truncate=left"),
      "padding_side": .only(
        [.string("right")],
        toDo: "tokens after padding would have other positions; set it to \"right\""),
      "split_special_tokens": .only(
        [.boolean(false)], toDo: "it is not supported; set it to false"),
      "add_bos_token": .only([.boolean(false)], toDo: "it is not supported; set it to false"),
      "add_eos_token": .only([.boolean(false)], toDo: "it is not supported; set it to false"),
      "do_basic_tokenize": .only([.boolean(true)], toDo: "it is not supported; set it to true"),
      "never_split": none,
      "auto_map": .only(
        [],
        toDo: "the tokenizer brings its own code, which is not run; take it out if tokenizer.json "
          + "does the same"),
    ], isComplete: false)

  /// `config_sentence_transformers.json` of a `SparseEncoder`.
  static let sparseEncoder = ConfigurationKeys(
    honoured: ["prompts", "default_prompt_name"],
    withoutEffect: ["__version__", "similarity_fn_name", "truncate_dim"],
    only: [
      "model_type": .only(
        [.string("SparseEncoder")], toDo: "only \"SparseEncoder\" has SpladePooling"),
      "max_active_dims": .only(
        [], toDo: "it is not supported; take it out, and keep the largest weights of the answer"),
    ],
    isComplete: false)

  /// `config_sentence_transformers.json` of a `MultiVectorEncoder`.
  static let multiVectorEncoder = ConfigurationKeys(
    honoured: [
      "prompts", "query_prefix", "document_prefix", "query_length", "document_length",
      "do_query_expansion", "attend_to_expansion_tokens", "attend_to_mask_tokens",
      "skiplist_words", "model_type",
    ],
    // Texts are queries or documents; scores are the client's.
    withoutEffect: ["__version__", "similarity_fn_name", "default_prompt_name", "truncate_dim"],
    only: ["query_expansion": none], isComplete: false)

  /// `config_sentence_transformers.json`.
  static let sentenceTransformers = ConfigurationKeys(
    honoured: ["prompts", "default_prompt_name", "truncate_dim"],
    withoutEffect: ["__version__", "similarity_fn_name"],
    only: [
      "model_type": .only(
        [.string("SentenceTransformer")], toDo: "only \"SentenceTransformer\" is supported")
    ],
    // sentence-transformers asks for the keys that it knows.
    isComplete: false)
}

extension JSONFile {
  /// Refuses what a table of keys does not let pass.
  ///
  /// - Parameter own: rules that take the place of the table's.
  func check(
    _ table: ConfigurationKeys, besides own: [String: ConfigurationKeys.Rule] = [:]
  ) throws(CheckpointError) {
    for key in keys where self[key] != .null {
      switch own[key] ?? table.rules[key] {
      case .honoured?, .withoutEffect?: break
      case .only(let values, let toDo)?:
        guard values.contains(self[key]) else {
          throw .unsupported(path: path, reason: "\"\(key)\" is \(self[key].shown): \(toDo)")
        }
      case nil:
        guard table.isComplete else { continue }
        throw .unsupported(
          path: path,
          reason: "the key \"\(key.prefix(128))\" is not known, and may change answers: "
            + "take it out if the model can do without")
      }
    }
  }
}
