import EncoderContract
import Testing

@testable import Checkpoints

struct SentenceModulesTests {
  static func module(_ index: Int, _ type: String, path: String) -> String {
    "{\"idx\":\(index),\"name\":\"\(index)\",\"path\":\"\(path)\",\"type\":\"\(type)\"}"
  }

  private func read(modules: [String], pooling: String = "{}", more: [String: String] = [:]) throws
    -> SentenceModules?
  {
    let folder = try TemporaryFolder()
    try folder.write("[\(modules.joined(separator: ","))]", to: "modules.json")
    try folder.write(pooling, to: "1_Pooling/config.json")
    for (name, content) in more { try folder.write(content, to: name) }
    return try SentenceModules.read(folder: folder.path)
  }

  static let transformer = module(0, "sentence_transformers.models.Transformer", path: "")
  static let pooling = module(1, "sentence_transformers.models.Pooling", path: "1_Pooling")
  static let normalize = module(2, "sentence_transformers.models.Normalize", path: "2_Normalize")

  @Test(.enabled(if: ModelFolder.isPresent)) func readsTheDefaultModel() throws {
    var expected = SentenceModules(pooling: .mean)
    expected.layers = [.normalize]
    expected.maximumSequenceLength = 256
    #expect(try SentenceModules.read(folder: ModelFolder.path) == expected)
  }

  @Test func absentIsNoError() throws {
    #expect(try SentenceModules.read(folder: TemporaryFolder().path) == nil)
  }

  @Test func readsEveryWayOfPooling() throws {
    let flags: [(String, Pooling)] = [
      ("pooling_mode_cls_token", .cls), ("pooling_mode_max_tokens", .max),
      ("pooling_mode_mean_tokens", .mean),
      ("pooling_mode_mean_sqrt_len_tokens", .meanSqrtLength),
      ("pooling_mode_weightedmean_tokens", .weightedMean), ("pooling_mode_lasttoken", .lastToken),
    ]
    for (flag, expected) in flags {
      let others = flags.map { "\"\($0.0)\": \($0.0 == flag)" }.joined(separator: ",")
      let old = try read(modules: [Self.transformer, Self.pooling], pooling: "{\(others)}")
      #expect(old == SentenceModules(pooling: expected))
      for name in ["\"\(expected.rawValue)\"", "[\"\(expected.rawValue)\"]"] {
        let new = try read(
          modules: [
            Self.module(0, "sentence_transformers.base.modules.transformer.Transformer", path: ""),
            Self.module(
              1, "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
              path: "1_Pooling"),
          ], pooling: "{\"pooling_mode\": \(name)}")
        #expect(new == SentenceModules(pooling: expected))
      }
    }
    #expect(
      try read(modules: [Self.transformer, Self.pooling])
        == SentenceModules(pooling: .mean))
  }

  @Test func readsPromptsAndSettings() throws {
    let support = try read(
      modules: [Self.transformer, Self.pooling, Self.normalize],
      pooling: "{\"pooling_mode_cls_token\": true, \"include_prompt\": false}",
      more: [
        "sentence_bert_config.json": "{\"max_seq_length\": 128, \"do_lower_case\": true}",
        "config_sentence_transformers.json":
          "{\"prompts\": {\"query\": \"query: \", \"document\": null}, \"truncate_dim\": 8}",
      ])
    var expected = SentenceModules(pooling: .cls)
    expected.layers = [.normalize]
    expected.poolsPrompt = false
    expected.maximumSequenceLength = 128
    expected.lowercases = true
    expected.prompts = ["query": "query: ", "document": ""]
    expected.truncatedSize = 8
    #expect(support == expected)
  }

  /// Reads what must be refused, and returns why.
  private func refusal(
    _ modules: [String], pooling: String = "{}", more: [String: String] = [:]
  ) -> String {
    do {
      let modules = try read(modules: modules, pooling: pooling, more: more)
      return "taken: \(String(describing: modules))"
    } catch {
      return "\(error)"
    }
  }

  @Test func otherModulesAreRefused() throws {
    let foreign = Self.module(1, "my_package.Pooling", path: "1_Pooling")
    let cnn = Self.module(2, "sentence_transformers.models.CNN", path: "2_CNN")
    let cases: [([String], String, String)] = [
      ([Self.transformer, Self.pooling, cnn], "{}", "models.CNN"),
      ([Self.transformer, foreign], "{}", "my_package.Pooling"),
      ([Self.transformer, Self.normalize], "{}", "Normalize"),
      ([Self.transformer], "{}", "no Pooling"),
      ([], "{}", "no Pooling"),
      ([Self.transformer, Self.pooling], "{\"pooling_mode\":\"median\"}", "median"),
      ([Self.transformer, Self.pooling], "{\"pooling_mode\":[]}", "pooling_mode"),
      ([Self.transformer, Self.pooling], "{\"pooling_weights\":[1]}", "pooling_weights"),
    ]
    for (modules, pooling, named) in cases {
      let reason = refusal(modules, pooling: pooling)
      #expect(reason.contains(named) && !reason.hasPrefix("taken"), "\(reason)")
    }
    #expect(refusal([Self.transformer]).contains("take modules.json out"))
  }

  /// Keys that change answers are honoured or refused, in each of the files.
  @Test func everyKeyCounts() throws {
    let all = [Self.transformer, Self.pooling, Self.normalize]
    let cases: [(String, String, String)] = [
      (
        "2_Normalize/config.json", "\"module_input_name\": \"token_embeddings\"", "token_embeddings"
      ),
      ("sentence_bert_config.json", "\"query_expansion\": {\"length\": 32}", "query_expansion"),
      ("sentence_bert_config.json", "\"processing_kwargs\": {\"text\": {}}", "processing_kwargs"),
      ("sentence_bert_config.json", "\"modality_config\": {\"image\": {}}", "modality_config"),
      ("sentence_bert_config.json", "\"stride\": 3", "stride"),
      ("config_sentence_transformers.json", "\"truncate_dim\": 0", "truncate_dim"),
      (
        "config_sentence_transformers.json", "\"default_prompt_name\": \"x\"", "default_prompt_name"
      ),
      ("config_sentence_transformers.json", "\"model_type\": \"SparseEncoder\"", "SparseEncoder"),
    ]
    for (file, member, named) in cases {
      let reason = refusal(all, more: [file: "{\(member)}"])
      #expect(reason.contains(named) && !reason.hasPrefix("taken"), "\(reason)")
    }
    let prompts = "{\"prompts\": {\"q\": \"q: \"}, \"default_prompt_name\": \"q\"}"
    let reason = refusal(
      all, pooling: "{\"include_prompt\": false}",
      more: ["config_sentence_transformers.json": prompts])
    #expect(reason.contains("include_prompt"))
    let modules = try read(
      modules: all,
      more: [
        "config_sentence_transformers.json": prompts,
        "sentence_bert_config.json":
          """
        {"transformer_task": "feature-extraction", "module_output_name": "token_embeddings",
         "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
         "unpad_inputs": true, "processing_kwargs": {}, "query_expansion": null}
        """,
        "2_Normalize/config.json": "{\"module_input_name\": \"sentence_embedding\"}",
      ])
    #expect(modules?.defaultPrompt == "q: ")
  }

  /// The first of the seven names that says something counts.
  @Test(arguments: ["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"])
  func readsTheLimitWhereItStands(_ kind: String) throws {
    var more = ["sentence_\(kind)_config.json": "{\"max_seq_length\": 9, \"do_lower_case\": true}"]
    if kind != "bert" { more["sentence_bert_config.json"] = "{}" }
    if kind != "xlnet" { more["sentence_xlnet_config.json"] = "{\"max_seq_length\": 7}" }
    let modules = try #require(try read(modules: [Self.transformer, Self.pooling], more: more))
    #expect(modules.maximumSequenceLength == 9 && modules.lowercases)
  }

  @Test func readsSeveralPoolings() throws {
    let modules = try #require(
      try read(
        modules: [Self.transformer, Self.pooling],
        pooling: "{\"pooling_mode_cls_token\":true,\"pooling_mode_max_tokens\":true}"))
    #expect(modules.poolings == [.cls, .max] && modules.embeddingSize(hiddenSize: 5) == 10)
  }

  @Test func poolingWithoutAListOfModules() throws {
    let folder = try TemporaryFolder()
    try folder.write("{\"pooling_mode_mean_tokens\": true}", to: "1_Pooling/config.json")
    #expect(try SentenceModules.read(folder: folder.path) == SentenceModules(pooling: .mean))
    try folder.write("{\"pooling_mode_cls_token\": true}", to: "1_Pooling/config.json")
    #expect(throws: CheckpointError.self) { try SentenceModules.read(folder: folder.path) }
  }

  static let dense = module(2, "sentence_transformers.models.Dense", path: "2_Dense")

  private func readDense(_ configuration: String, _ header: String? = nil) throws
    -> SentenceModules?
  {
    let folder = try TemporaryFolder()
    try folder.write(
      "[\(Self.transformer),\(Self.pooling),\(Self.dense),\(Self.normalize)]", to: "modules.json")
    try folder.write("{}", to: "1_Pooling/config.json")
    try folder.write(configuration, to: "2_Dense/config.json")
    let floats: [Float] = [1, 2, 3, 4, 5, 6, 7, 8]
    try folder.write(
      safetensors(
        header ?? """
          {"linear.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]},\
          "linear.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}
          """, data: floats.flatMap { littleEndianBytes($0.bitPattern) }),
      to: "2_Dense/model.safetensors")
    return try SentenceModules.read(folder: folder.path)
  }

  @Test func readsDenseLayers() throws {
    let sizes = "\"in_features\": 3, \"out_features\": 2"
    var expected = SentenceModules(pooling: .mean)
    var layer = DenseLayer(
      inputs: 3, outputs: 2, weights: [1, 2, 3, 4, 5, 6], bias: [7, 8], activation: .tanh)
    expected.layers = [.dense(layer), .normalize]
    #expect(try readDense("{\(sizes)}") == expected)
    layer.activation = .identity
    layer.bias = [0, 0]
    expected.layers = [.dense(layer), .normalize]
    let modules = try readDense(
      """
      {\(sizes), "bias": false, "activation_function": "torch.nn.modules.linear.Identity"}
      """)
    #expect(modules == expected)
    #expect(expected.embeddingSize(hiddenSize: 3) == 2)
    #expect(expected.embeddingSize(hiddenSize: 4) == nil)
    #expect(try readDense("{\(sizes), \"activation_function\": \"torch.nn.SiLU\"}") != nil)
    for wrong in [
      "\(sizes), \"activation_function\": \"torch.nn.GLU\"",
      "\(sizes), \"activation_function\": \"mine.Tanh\"",
      "\(sizes), \"use_residual\": true", "\(sizes), \"scale\": 2",
      "\"in_features\": 2, \"out_features\": 3",
    ] {
      #expect(throws: CheckpointError.self, "\(wrong)") { try readDense("{\(wrong)}") }
    }
  }

  @Test func findsTheEncodersFolder() throws {
    let nested = Self.module(0, "sentence_transformers.models.Transformer", path: "0_Transformer")
    let folder = try TemporaryFolder()
    #expect(try SentenceModules.encoderFolder(of: folder.path) == folder.path)
    try folder.write("[\(Self.transformer)]", to: "modules.json")
    #expect(try SentenceModules.encoderFolder(of: folder.path) == folder.path)
    try folder.write("[\(nested),\(Self.pooling)]", to: "modules.json")
    #expect(
      try SentenceModules.encoderFolder(of: folder.path) == folder.path + "/0_Transformer")
    try folder.write("{}", to: "1_Pooling/config.json")
    try folder.write("{\"max_seq_length\": 7}", to: "0_Transformer/sentence_bert_config.json")
    let modules = try #require(try SentenceModules.read(folder: folder.path))
    #expect(modules.maximumSequenceLength == 7)
  }

  @Test func malformedFilesAreErrors() throws {
    let outside = Self.module(1, "sentence_transformers.models.Pooling", path: "../1_Pooling")
    #expect(throws: CheckpointError.self) { try read(modules: [Self.transformer, outside]) }
    #expect(throws: CheckpointError.self) { try read(modules: ["7"]) }
    #expect(throws: CheckpointError.self) {
      try read(modules: [Self.transformer, Self.pooling], pooling: "{\"pooling_mode\": 7}")
    }
    #expect(throws: CheckpointError.self) {
      try read(
        modules: [Self.transformer, Self.pooling],
        more: ["sentence_bert_config.json": "{\"max_seq_length\": 0}"])
    }
  }
}

struct TokenizerConfigurationTests {
  private func read(_ json: String) throws -> TokenizerConfiguration {
    let folder = try TemporaryFolder()
    try folder.write(json, to: "tokenizer_config.json")
    return try TokenizerConfiguration(folder: folder.path)
  }

  @Test(.enabled(if: ModelFolder.isPresent)) func readsTheDefaultModel() throws {
    var expected = TokenizerConfiguration()
    expected.maximumLength = 512
    expected.lowercases = true
    expected.splitsChineseCharacters = true
    expected.unknownToken = "[UNK]"
    expected.separatorToken = "[SEP]"
    expected.padToken = "[PAD]"
    expected.classToken = "[CLS]"
    expected.maskToken = "[MASK]"
    expected.vocabularyPath = ModelFolder.path + "/vocab.txt"
    expected.tokenizerPath = ModelFolder.path + "/tokenizer.json"
    #expect(try TokenizerConfiguration(folder: ModelFolder.path) == expected)
  }

  @Test func absentIsNil() throws {
    #expect(try TokenizerConfiguration(folder: TemporaryFolder().path) == TokenizerConfiguration())
    #expect(try read("{}") == TokenizerConfiguration())
  }

  @Test func everyKeyIsRead() throws {
    let configuration = try read(
      """
      {"do_lower_case": false, "strip_accents": true, "tokenize_chinese_chars": false,
       "model_max_length": 99, "tokenizer_class": "BertTokenizerFast", "unk_token": "<u>",
       "sep_token": {"__type": "AddedToken", "content": "<s>", "lstrip": false},
       "pad_token": "<p>", "cls_token": "<c>", "mask_token": "<m>"}
      """)
    var expected = TokenizerConfiguration()
    expected.lowercases = false
    expected.stripsAccents = true
    expected.splitsChineseCharacters = false
    expected.maximumLength = 99
    expected.unknownToken = "<u>"
    expected.separatorToken = "<s>"
    expected.padToken = "<p>"
    expected.classToken = "<c>"
    expected.maskToken = "<m>"
    #expect(configuration == expected)
  }

  /// As transformers does it: `special_tokens_map.json` goes before `tokenizer_config.json`, unless
  /// that one lists all added tokens.
  @Test func oldFileOfSpecialTokens() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      #"{"sep_token": "</s>", "mask_token": "<m>", "bos_token": "<o>", "eos_token": null}"#,
      to: "tokenizer_config.json")
    try folder.write(
      """
      {"sep_token": "[S]", "cls_token": {"content": "<s>"},
       "additional_special_tokens": ["<a>", {"content": "<b>"}]}
      """, to: "special_tokens_map.json")
    var expected = TokenizerConfiguration()
    expected.separatorToken = "[S]"
    expected.classToken = "<s>"
    expected.maskToken = "<m>"
    expected.beginToken = "<o>"
    expected.additionalTokens = ["<a>", "<b>", "<o>"]
    expected.listsAdditionalTokens = true
    #expect(try TokenizerConfiguration(folder: folder.path) == expected)
    try folder.write(
      #"{"sep_token": "</s>", "added_tokens_decoder": {}, "extra_special_tokens": {"q": "<q>"}}"#,
      to: "tokenizer_config.json")
    expected = TokenizerConfiguration()
    expected.separatorToken = "</s>"
    expected.additionalTokens = ["<q>"]
    expected.listsAdditionalTokens = true
    expected.addedTokens = [:]
    #expect(try TokenizerConfiguration(folder: folder.path) == expected)
  }

  /// With a `tokenizer.json` the class and the flags of tokens are its affair.
  @Test func tokenizerFileTakesTheirPlace() throws {
    let folder = try TemporaryFolder()
    let odd = #""added_tokens_decoder": {"7": {"content": "<x>", "lstrip": true}}"#
    try folder.write(
      #"{"tokenizer_class": "XLMRobertaTokenizer", \#(odd)}"#, to: "tokenizer_config.json")
    #expect(throws: CheckpointError.self) { try TokenizerConfiguration(folder: folder.path) }
    try folder.write("{}", to: "tokenizer.json")
    #expect(try TokenizerConfiguration(folder: folder.path).family == .xlmRoberta)
    try folder.write(
      #"{"tokenizer_class": "PreTrainedTokenizerFast"}"#, to: "tokenizer_config.json")
    #expect(try TokenizerConfiguration(folder: folder.path).family == .other)
    try folder.write(#"{"tokenizer_class": "MPNetTokenizer"}"#, to: "tokenizer_config.json")
    #expect(try TokenizerConfiguration(folder: folder.path).family == .mpnet)
    try folder.write(#"{"tokenizer_class": "FunnelTokenizer"}"#, to: "tokenizer_config.json")
    #expect(throws: CheckpointError.self) { try TokenizerConfiguration(folder: folder.path) }
    try folder.write(
      #"{"tokenizer_class": "PreTrainedTokenizerFast"}"#, to: "tokenizer_config.json")
    try folder.write(#"{"<x>": 7}"#, to: "added_tokens.json")
    #expect(try TokenizerConfiguration(folder: folder.path).oldAddedTokens == ["<x>"])
    try folder.write("{\(odd)}", to: "tokenizer_config.json")
    #expect(try TokenizerConfiguration(folder: folder.path).family == .bert)
    #expect(try TokenizerConfiguration(folder: folder.path).oldAddedTokens == [])
    #expect(
      try TokenizerConfiguration(folder: folder.path).addedTokens == [
        "<x>": TokenizerConfiguration.AddedToken(
          stripsLeft: true, stripsRight: false, singleWord: false, isNormalized: true, id: 7)
      ])
  }

  @Test func refusesTokensThatVocabTxtCannotHave() throws {
    let error = try #require(throws: CheckpointError.self) {
      try read(#"{"added_tokens_decoder": {"7": {"content": "<x>", "lstrip": true}}}"#)
    }
    #expect(error.message.contains("added_tokens_decoder: token 7"))
    let folder = try TemporaryFolder()
    try folder.write(#"{"<x>": 7}"#, to: "added_tokens.json")
    #expect(throws: CheckpointError.self) { try TokenizerConfiguration(folder: folder.path) }
    try folder.write("{}", to: "added_tokens.json")
    #expect(try TokenizerConfiguration(folder: folder.path) == TokenizerConfiguration())
    let flagged = try #require(throws: CheckpointError.self) {
      try read(#"{"mask_token": {"content": "<m>", "rstrip": true}}"#)
    }
    #expect(flagged.message.contains("rstrip"))
    let stripped = try read(#"{"mask_token": {"content": "<m>", "lstrip": true}}"#)
    #expect(stripped.leftStrippedTokens == ["<m>"])
  }

  /// A class of tokenizer counts wherever it is named, and the model's own where it is not.
  @Test(arguments: [
    (#"{"tokenizer_class": "BertJapaneseTokenizer"}"#, "{}", "BertJapaneseTokenizer"),
    ("{}", #"{"tokenizer_class": "BertJapaneseTokenizer"}"#, "BertJapaneseTokenizer"),
    (#"{"word_tokenizer_type": "mecab"}"#, "{}", "mecab"),
    ("{}", #"{"model_type": "xlm-roberta"}"#, "xlm-roberta"),
    (#"{"tokenizer_class": "PhobertTokenizer"}"#, "{}", "PhobertTokenizer"),
    ("{}", #"{"model_type": "roberta"}"#, "merges.txt"),
    (#"{"padding_side": "left"}"#, "{}", "padding_side"),
    (#"{"model_input_names": ["input_ids"]}"#, "{}", "model_input_names"),
    (#"{"init_inputs": ["x"]}"#, "{}", "init_inputs"),
    (#"{"tokenizer_class": "DistilBertTokenizer"}"#, "{}", "BertTokenizer"),
    (#"{"split_special_tokens": true}"#, "{}", "split_special_tokens"),
    (#"{"auto_map": {"AutoTokenizer": ["x.Y", null]}}"#, "{}", "auto_map"),
  ])
  func classesThatAreNotServed(_ tokenizer: String, _ model: String, _ named: String) throws {
    let folder = try TemporaryFolder()
    try folder.write(tokenizer, to: "tokenizer_config.json")
    try folder.write(model, to: "config.json")
    let error = try #require(throws: CheckpointError.self) {
      try TokenizerConfiguration(folder: folder.path)
    }
    #expect(error.message.contains(named))
  }

  @Test(
    arguments: [
      ("1000000000000000019884624838656", nil), ("1e30", nil), ("null", nil),
      ("9223372036854775807", nil), ("512", 512), ("512.0", 512),
    ] as [(String, Int?)])
  func lengthMayBeUnlimited(_ value: String, _ expected: Int?) throws {
    #expect(try read("{\"model_max_length\": \(value)}").maximumLength == expected)
    #expect(try read("{\"max_len\": \(value)}").maximumLength == expected)
    #expect(
      try read("{\"max_len\": 9, \"model_max_length\": \(value)}").maximumLength == expected)
  }

  @Test(arguments: [
    ("model_max_length", "0"), ("model_max_length", "-5"), ("model_max_length", "1.5"),
    ("model_max_length", "\"512\""), ("sep_token", "7"), ("sep_token", "{}"), ("sep_token", "\"\""),
    ("do_lower_case", "1"), ("tokenizer_class", "\"XLMRobertaTokenizer\""),
    ("tokenizer_class", "\"BertJapaneseTokenizer\""), ("truncation_side", "\"left\""),
    ("additional_special_tokens", "[7]"), ("additional_special_tokens", "\"<a>\""),
  ])
  func refusesWhatCannotBeRight(_ key: String, _ value: String) throws {
    let error = try #require(throws: CheckpointError.self) { try read("{\"\(key)\": \(value)}") }
    #expect(error.message.contains(key))
  }
}
