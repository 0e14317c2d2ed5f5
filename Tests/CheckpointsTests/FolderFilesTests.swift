import Testing

@testable import Checkpoints

struct SentenceModulesTests {
  static func module(_ index: Int, _ type: String, path: String) -> String {
    "{\"idx\":\(index),\"name\":\"\(index)\",\"path\":\"\(path)\",\"type\":\"\(type)\"}"
  }

  private func read(modules: [String], pooling: String = "{}", more: [String: String] = [:]) throws
    -> SentenceModules.Support
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
    expected.normalizes = true
    expected.maximumSequenceLength = 256
    #expect(try SentenceModules.read(folder: ModelFolder.path) == .supported(expected))
  }

  @Test func absentIsNoError() throws {
    #expect(try SentenceModules.read(folder: TemporaryFolder().path) == .absent)
  }

  @Test func readsEveryWayOfPooling() throws {
    let flags: [(String, SentenceModules.Pooling)] = [
      ("pooling_mode_cls_token", .cls), ("pooling_mode_max_tokens", .max),
      ("pooling_mode_mean_tokens", .mean),
      ("pooling_mode_mean_sqrt_len_tokens", .meanSqrtLength),
      ("pooling_mode_weightedmean_tokens", .weightedMean), ("pooling_mode_lasttoken", .lastToken),
    ]
    for (flag, expected) in flags {
      let others = flags.map { "\"\($0.0)\": \($0.0 == flag)" }.joined(separator: ",")
      let old = try read(modules: [Self.transformer, Self.pooling], pooling: "{\(others)}")
      #expect(old == .supported(SentenceModules(pooling: expected)))
      for name in ["\"\(expected.rawValue)\"", "[\"\(expected.rawValue)\"]"] {
        let new = try read(
          modules: [
            Self.module(0, "sentence_transformers.base.modules.transformer.Transformer", path: ""),
            Self.module(
              1, "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
              path: "1_Pooling"),
          ], pooling: "{\"pooling_mode\": \(name)}")
        #expect(new == .supported(SentenceModules(pooling: expected)))
      }
    }
    #expect(
      try read(modules: [Self.transformer, Self.pooling])
        == .supported(SentenceModules(pooling: .mean)))
  }

  @Test func readsPromptsAndSettings() throws {
    let support = try read(
      modules: [Self.transformer, Self.pooling, Self.normalize],
      pooling: "{\"pooling_mode_cls_token\": true, \"include_prompt\": false}",
      more: [
        "sentence_bert_config.json": "{\"max_seq_length\": 128, \"do_lower_case\": true}",
        "config_sentence_transformers.json":
          "{\"prompts\": {\"query\": \"query: \"}, \"default_prompt_name\": \"query\"}",
      ])
    var expected = SentenceModules(pooling: .cls)
    expected.normalizes = true
    expected.poolsPrompt = false
    expected.maximumSequenceLength = 128
    expected.lowercases = true
    expected.prompts = ["query": "query: "]
    expected.defaultPromptName = "query"
    #expect(support == .supported(expected))
  }

  @Test func otherModulesAreReported() throws {
    let foreign = Self.module(1, "my_package.Pooling", path: "1_Pooling")
    let cnn = Self.module(2, "sentence_transformers.models.CNN", path: "2_CNN")
    let cases: [([String], String, String)] = [
      ([Self.transformer, Self.pooling, cnn], "{}", "models.CNN"),
      ([Self.transformer, foreign], "{}", "my_package.Pooling"),
      ([Self.transformer, Self.normalize], "{}", "Normalize"),
      ([Self.transformer], "{}", "no Pooling"),
      ([], "{}", "no Pooling"),
      (
        [Self.transformer, Self.pooling],
        "{\"pooling_mode_cls_token\":true,\"pooling_mode_max_tokens\":true}", "cls + max"
      ),
      ([Self.transformer, Self.pooling], "{\"pooling_mode\":\"median\"}", "median"),
    ]
    for (modules, pooling, named) in cases {
      guard case .unsupported(let reason) = try read(modules: modules, pooling: pooling) else {
        Issue.record("\(named) is taken")
        continue
      }
      #expect(reason.contains(named))
    }
    let tokens = try read(
      modules: [Self.transformer, Self.pooling, Self.normalize],
      more: ["2_Normalize/config.json": "{\"module_input_name\": \"token_embeddings\"}"])
    guard case .unsupported(let reason) = tokens else {
      Issue.record("\(tokens)")
      return
    }
    #expect(reason.contains("token_embeddings"))
  }

  static let dense = module(2, "sentence_transformers.models.Dense", path: "2_Dense")

  private func readDense(_ configuration: String, _ header: String? = nil) throws
    -> SentenceModules.Support
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
    expected.normalizes = true
    var layer = SentenceModules.Dense(
      inputs: 3, outputs: 2, weights: [1, 2, 3, 4, 5, 6], bias: [7, 8], activation: .tanh)
    expected.dense = [layer]
    #expect(try readDense("{\(sizes)}") == .supported(expected))
    layer.activation = .identity
    layer.bias = [0, 0]
    expected.dense = [layer]
    let support = try readDense(
      """
      {\(sizes), "bias": false, "activation_function": "torch.nn.modules.linear.Identity"}
      """)
    #expect(support == .supported(expected))
    #expect(expected.embeddingSize(hiddenSize: 3) == 2)
    #expect(support.fitting(hiddenSize: 3) == support)
    guard case .unsupported(let reason) = support.fitting(hiddenSize: 4) else {
      Issue.record("3 inputs fit 4 values")
      return
    }
    #expect(reason.contains("3 to 2") && reason.contains("hidden size of 4"))
    let other = try readDense("{\(sizes), \"activation_function\": \"torch.nn.SiLU\"}")
    guard case .unsupported(let reason) = other else {
      Issue.record("SiLU is taken")
      return
    }
    #expect(reason.contains("torch.nn.SiLU"))
    #expect(throws: CheckpointError.self) {
      try readDense("{\"in_features\": 2, \"out_features\": 3}")
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
    guard case .supported(let modules) = try SentenceModules.read(folder: folder.path) else {
      Issue.record("a folder of its own is refused")
      return
    }
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

  /// What `tokenizer_config.json` says goes before `special_tokens_map.json`.
  @Test func oldFilesHaveTheRest() throws {
    let folder = try TemporaryFolder()
    try folder.write(#"{"sep_token": "</s>"}"#, to: "tokenizer_config.json")
    try folder.write(
      """
      {"sep_token": "[S]", "cls_token": {"content": "<s>"},
       "additional_special_tokens": ["<a>", {"content": "<b>"}]}
      """, to: "special_tokens_map.json")
    var expected = TokenizerConfiguration()
    expected.separatorToken = "</s>"
    expected.classToken = "<s>"
    expected.additionalTokens = ["<a>", "<b>"]
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
    #expect(try !TokenizerConfiguration(folder: folder.path).isBERT)
    try folder.write("{\(odd)}", to: "tokenizer_config.json")
    #expect(try TokenizerConfiguration(folder: folder.path).isBERT)
  }

  @Test func refusesTokensThatVocabTxtCannotHave() throws {
    let error = try #require(throws: CheckpointError.self) {
      try read(#"{"added_tokens_decoder": {"7": {"content": "<x>", "lstrip": true}}}"#)
    }
    #expect(error.message.contains("added_tokens_decoder: token 7"))
    let folder = try TemporaryFolder()
    try folder.write(#"{"<x>": 7}"#, to: "added_tokens.json")
    #expect(throws: CheckpointError.self) { try TokenizerConfiguration(folder: folder.path) }
  }

  @Test(
    arguments: [
      ("1000000000000000019884624838656", nil), ("1e30", nil), ("null", nil),
      ("9223372036854775807", nil), ("512", 512), ("512.0", 512),
    ] as [(String, Int?)])
  func lengthMayBeUnlimited(_ value: String, _ expected: Int?) throws {
    #expect(try read("{\"model_max_length\": \(value)}").maximumLength == expected)
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
