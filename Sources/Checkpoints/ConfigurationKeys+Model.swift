import JSON

extension ConfigurationKeys {
  /// `config.json`: every key that `PreTrainedConfig`, `BertConfig`, `RobertaConfig`,
  /// `XLMRobertaConfig`, `CamembertConfig`, `DistilBertConfig`, `MPNetConfig`, `ElectraConfig`,
  /// `AlbertConfig`, `ModernBertConfig`, `NomicBertConfig`, `GteConfig`, `EuroBertConfig` and
  /// `DebertaV2Config` of transformers have, and `JinaBertConfig` and `NeoBERTConfig` of the models' own
  /// code. Some families have rules of their own: see `HuggingFaceFamily.ownKeys`.
  ///
  /// A key that is not here is let pass: transformers keeps it as an attribute of the configuration
  /// that no line of these encoders reads, and folders are full of such keys.
  static let model = ConfigurationKeys(
    honoured: [
      "model_type", "architectures", "vocab_size", "hidden_size", "num_hidden_layers",
      "num_attention_heads", "intermediate_size", "hidden_act", "max_position_embeddings",
      "type_vocab_size", "layer_norm_eps", "pad_token_id", "tokenizer_class", "auto_map",
      "id2label", "num_labels", "problem_type", "sentence_transformers",
      "sbert_ce_default_activation_function", "tie_word_embeddings",
      // DistilBERT's names.
      "dim", "n_layers", "n_heads", "hidden_dim", "activation",
      // MPNet's, ELECTRA's, ALBERT's.
      "relative_attention_num_buckets", "embedding_size", "num_hidden_groups", "inner_group_num",
      // DeBERTa's.
      "relative_attention", "max_relative_positions", "position_buckets", "position_biased_input",
      "pos_att_type", "share_att_key", "attention_head_size", "pooler_hidden_size",
      "pooler_hidden_act", "legacy",
      // ModernBERT's, EuroBERT's, NomicBERT's, GTE's.
      "hidden_activation", "norm_eps", "norm_bias", "attention_bias", "mlp_bias", "local_attention",
      "sliding_window",
      "global_attn_every_n_layers", "layer_types", "rope_parameters", "global_rope_theta",
      "local_rope_theta", "rope_theta", "rope_scaling", "rms_norm_eps", "num_key_value_heads",
      "head_dim", "n_embd", "n_layer", "n_head", "n_inner", "n_positions", "layer_norm_epsilon",
      "activation_function", "rotary_emb_base", "rotary_scaling_factor", "max_trained_positions",
      // JinaBERT's, NeoBERT's.
      "feed_forward_type", "dim_head",
    ],
    withoutEffect: training + otherHeads + [
      "label2id",
      "transformers_version", "_name_or_path", "name_or_path", "_commit_hash",
      // The weights count, as they are stored; sums are float32.
      "dtype", "torch_dtype",
      // What is returned beside the answer, and how it is computed.
      "return_dict", "output_hidden_states", "output_attentions", "use_cache",
      "attn_implementation", "_attn_implementation", "_attn_implementation_internal",
      "experts_implementation", "_experts_implementation_internal", "chunk_size_feed_forward",
      "is_encoder_decoder", "use_bfloat16", "torchscript", "mlp_layer_types",
      // Which ids texts begin and end with is the tokenizer's matter.
      "bos_token_id", "eos_token_id", "sep_token_id", "decoder_start_token_id",
      "pooler_dropout", "cls_dropout", "conv_act", "conv_groups",
      // NeoBERT's: the scale of nGPT's weights, which are refused, and what it keeps of other keys.
      "base_scale", "flash_attention", "kwargs",
      // Initial positions, which the weights take the place of.
      "sinusoidal_pos_embds",
    ],
    only: [
      "is_decoder": encoder, "add_cross_attention": encoder, "is_causal": encoder,
      "position_embedding_type": .only(
        [.string("absolute")],
        toDo: "only \"absolute\" is supported, and \"alibi\" with \"architectures\": "
          + "[\"JinaBertModel\"]"),
      "pruned_heads": .only(
        [.object([:])], toDo: "pruned models are not supported; give the model before pruning"),
      "quantization_config": .only(
        [],
        toDo: "quantised weights are not supported; give the model with weights in float32, "
          + "float16 or bfloat16"),
      "per_layer_config": .only(
        [.object([:])], toDo: "layers that differ from one another are not supported"),
      "transformers_weights": .only(
        [], toDo: "call the file of weights model.safetensors, and take the key out"),
      "fusion_config": none,
    ], isComplete: false)

  /// `bert_config.json` of the original code, whose layer norms have one epsilon.
  static let originalModel = ConfigurationKeys(
    honoured: [
      "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
      "intermediate_size", "hidden_act", "max_position_embeddings", "type_vocab_size",
    ],
    withoutEffect: training + otherHeads + [
      "pad_token_id", "model_type", "id2label", "label2id", "num_labels", "problem_type",
      "tie_word_embeddings",
    ],
    only: [
      "layer_norm_eps": .only(
        [.double(1e-12)], toDo: "the original code has 1e-12; take it out if that is meant"),
      "embedding_size": .only(
        [], toDo: "embeddings that are narrower than the blocks (ALBERT's) are not supported"),
      "num_hidden_groups": .only(
        [], toDo: "blocks that share their weights (ALBERT's) are not supported"),
    ], isComplete: false)

  private static let encoder = Rule.only(
    [.boolean(false)], toDo: "a decoder is not supported, only an encoder is")

  private static let training = [
    "hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout",
    "initializer_range", "gradient_checkpointing", "tie_weights_",
    "embedding_init_range", "decoder_init_range", "classifier_init_range", "dropout_prob",
    "tie_encoder_decoder", "layerdrop",
  ]

  private static let otherHeads = [
    "classifier_dropout", "classifier_dropout_prob", "qa_dropout", "seq_classif_dropout",
    "finetuning_task", "task_specific_params", "summary_type", "summary_use_proj",
    "summary_activation", "summary_last_dropout",
    // Of Google's multilingual models.
    "directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers",
    "pooler_size_per_head", "pooler_type",
  ]
}
