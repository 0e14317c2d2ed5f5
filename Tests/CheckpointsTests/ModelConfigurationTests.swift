import FoundationEssentials
import TestSupport
import Testing

@testable import Checkpoints

/// The configuration of a `config.json` with the keys that must be there, and these members.
func readConfiguration(_ members: String) throws -> ModelConfiguration {
  try .huggingFace(
    JSONFile(
      path: "config.json", bytes: Array("{\(ModelConfigurationTests.minimal), \(members)}".utf8)))
}

struct ModelConfigurationTests {
  static let minimal = """
    "vocab_size": 100, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, \
    "intermediate_size": 16
    """

  private func read(_ json: String) throws -> ModelConfiguration {
    try .huggingFace(JSONFile(path: "config.json", bytes: Array(json.utf8)))
  }

  @Test func whatIsMissingHasBertConfigsDefaults() throws {
    let configuration = try read("{\(Self.minimal)}")
    var expected = ModelConfiguration(
      vocabularySize: 100, hiddenSize: 8, blockCount: 2, headCount: 2, intermediateSize: 16)
    expected.positionCount = 512
    expected.typeCount = 2
    expected.layerNormEpsilon = 1e-12
    expected.activation = .geluErf
    expected.padTokenID = 0
    #expect(configuration == expected)
    #expect(configuration.headSize == 4)
  }

  @Test func everyKeyIsRead() throws {
    let configuration = try read(
      """
      {\(Self.minimal), "model_type": "bert", "max_position_embeddings": 77, "type_vocab_size": 1,
       "layer_norm_eps": 1e-5, "hidden_act": "relu", "pad_token_id": 99, "is_decoder": false,
       "position_embedding_type": "absolute", "pruned_heads": {}, "auto_map": null,
       "architectures": ["BertModel"], "id2label": {"0": "A"}, "classifier_dropout": null}
      """)
    #expect(configuration.positionCount == 77)
    #expect(configuration.typeCount == 1)
    #expect(configuration.layerNormEpsilon == 1e-5)
    #expect(configuration.activation == .relu)
    #expect(configuration.padTokenID == 99)
  }

  @Test(arguments: [
    ("gelu", ModelConfiguration.Activation.geluErf), ("gelu_python", .geluErf),
    ("gelu_new", .geluTanh), ("gelu_fast", .geluTanh), ("gelu_pytorch_tanh", .geluTanh),
    ("gelu_accurate", .geluTanh), ("gelu_python_tanh", .geluTanh), ("relu", .relu), ("silu", .silu),
    ("swish", .silu),
  ])
  func activationIsTakenLiterally(
    _ name: String, _ expected: ModelConfiguration.Activation
  ) throws {
    #expect(try read("{\(Self.minimal), \"hidden_act\": \"\(name)\"}").activation == expected)
  }

  /// What is not plain BERT is refused by its name.
  @Test(arguments: [
    (
      "\"model_type\": \"deberta\"",
      "\"deberta\" is not supported (DeBERTa v1's attention differs; only deberta-v2 is computed)"
    ),
    ("\"hidden_act\": \"mish\"", "hidden_act \"mish\""),
    ("\"hidden_act\": \"gelu_10\"", "hidden_act \"gelu_10\""),
    (
      "\"position_embedding_type\": \"relative_key\"",
      "\"position_embedding_type\" is \"relative_key\": only \"absolute\" is"
    ),
    ("\"position_embedding_type\": \"alibi\"", "\"position_embedding_type\" is \"alibi\""),
    ("\"is_decoder\": true", "is_decoder"), ("\"is_decoder\": \"no\"", "is_decoder"),
    ("\"per_layer_config\": {\"0\": {}}", "per_layer_config"),
    ("\"transformers_weights\": \"w.safetensors\"", "transformers_weights"),
    ("\"architectures\": [\"RobertaModel\"]", "RobertaModel\": add \"model_type\""),
    ("\"add_cross_attention\": true", "add_cross_attention"),
    ("\"pruned_heads\": {\"0\": [1]}", "pruned_heads"),
    ("\"quantization_config\": {\"bits\": 4}", "quantization_config"),
    ("\"auto_map\": {\"AutoModel\": \"m.Model\"}", "auto_map"),
  ])
  func refusesOtherModels(_ member: String, _ named: String) throws {
    let error = try #require(throws: CheckpointError.self) {
      try read("{\(Self.minimal), \(member)}")
    }
    guard case .unsupported(let path, let reason) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(path.hasSuffix("config.json"))
    #expect(reason.contains(named))
  }

  /// transformers takes some of BERT's names for DistilBERT's, and its epsilon is fixed.
  @Test func namesOfDistilBERT() throws {
    let own = #""dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 16, "activation": "relu""#
    let other = #""hidden_size": 4, "num_attention_heads": 4, "intermediate_size": 7"#
    let configuration = try read(
      """
      {"model_type": "distilbert", "vocab_size": 100, \(own), \(other),
       "hidden_act": "gelu", "layer_norm_eps": 0.1}
      """)
    #expect(configuration.hiddenSize == 4 && configuration.blockCount == 2)
    #expect(configuration.headCount == 4 && configuration.intermediateSize == 16)
    #expect(configuration.layerNormEpsilon == 1e-12 && configuration.activation == .relu)
  }

  /// A number that cannot be right is an error that names its key.
  @Test(arguments: [
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size",
  ])
  func refusesImpossibleSizes(_ key: String) throws {
    for value in ["0", "-1", "1.5", "\"8\"", "true", "[]", "1e30", "9223372036854775808", "4e9"] {
      // A later duplicate wins or loses: take the key out instead.
      var members = Self.minimal.split(separator: ", ").filter { !$0.contains("\"\(key)\"") }
        .map(String.init)
      members.append("\"\(key)\": \(value)")
      try expectInvalid(key, "{\(members.joined(separator: ","))}")
    }
  }

  @Test func refusesImpossibleCombinations() throws {
    for block in [65, 1 << 40] {
      let many = Self.minimal.replacing("layers\": 2", with: "layers\": \(block)")
      try expectInvalid("num_hidden_layers", "{\(many)}")
    }
    let odd = Self.minimal.replacing("heads\": 2", with: "heads\": 3")
    try expectInvalid("num_attention_heads", "{\(odd)}")
    for missing in ["vocab_size", "hidden_size"] {
      let rest = Self.minimal.split(separator: ", ").filter { !$0.contains("\"\(missing)\"") }
      try expectInvalid(missing, "{\(rest.joined(separator: ","))}")
    }
    for value in ["0", "0.0", "-1e-12", "1", "1.0", "\"1e-12\"", "false"] {
      try expectInvalid("layer_norm_eps", "{\(Self.minimal), \"layer_norm_eps\": \(value)}")
    }
    for value in ["100", "-1", "0.5"] {
      try expectInvalid("pad_token_id", "{\(Self.minimal), \"pad_token_id\": \(value)}")
    }
    try expectInvalid("hidden_act", "{\(Self.minimal), \"hidden_act\": 7}")
  }

  /// A text takes two special tokens and one of its own.
  @Test func fewerThanThreePositionsAreRefused() throws {
    let key = "max_position_embeddings"
    for count in [1, 2] { try expectInvalid(key, "{\(Self.minimal), \"\(key)\": \(count)}") }
    #expect(try read("{\(Self.minimal), \"\(key)\": 3}").positionCount == 3)
    let roberta = "\(Self.minimal), \"model_type\": \"roberta\", \"pad_token_id\": 1"
    for count in 1...4 { try expectInvalid(key, "{\(roberta), \"\(key)\": \(count)}") }
    #expect(try read("{\(roberta), \"\(key)\": 5}").positionCount == 3)
  }

  private func expectInvalid(_ key: String, _ json: String) throws {
    let error = try #require(throws: CheckpointError.self) { try read(json) }
    guard case .invalidValue(_, key, _) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(error.message.contains("\"\(key)\""))
  }

  @Test func refusesWhatIsNotAnObject() throws {
    let deep = String(repeating: "[", count: 100_000)
    let deepValue = "{\(Self.minimal), \"x\": \(deep)}"
    for json in ["[]", "7", "{", "nul", "{\"a\":}", "\u{0}", deep, deepValue] {
      let error = try #require(throws: CheckpointError.self) { try read(json) }
      guard case .file(_, let reason) = error else {
        Issue.record("\(error)")
        continue
      }
      #expect(reason.contains("JSON"))
    }
  }

  /// What Python's `json` writes and reads, and editors put before a file.
  @Test func readsWhatPythonReads() throws {
    let numbers = "\"a\": NaN, \"b\": [-Infinity, Infinity], \"c\": 1e400, \"d\": \(UInt64.max)0"
    let deep = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
    let json = "\u{FEFF}{\(Self.minimal), \(numbers), \"x\": \(deep), \"hidden_size\": 16.0}"
    #expect(try read(json).hiddenSize == 16)
    // Of two keys the last one counts.
    #expect(try read("{\"vocab_size\": 5, \(Self.minimal)}") == read("{\(Self.minimal)}"))
  }

  @Test(arguments: ["NaN", "Infinity", "1e400", "\(UInt64.max)", "64.5", "\"64\"", "true", "[64]"])
  func sizesAreIntegers(_ value: String) throws {
    try expectInvalid("hidden_size", "{\(Self.minimal), \"hidden_size\": \(value)}")
  }

  @Test func refusalsNameTheLine() throws {
    let error = try #require(throws: CheckpointError.self) { try read("{\n\"a\": 1,\n}") }
    #expect(error.message.contains("config.json: ") && error.message.contains("line 3: byte 10: }"))
    let half = try #require(throws: CheckpointError.self) { try read("{\"a\": \"\\ud800\"}") }
    #expect(half.message.contains("half of a surrogate pair"), "\(half)")
  }

  @Test func refusesFilesThatAreTooLarge() throws {
    let folder = try TemporaryFolder()
    let spaces = Array(repeating: UInt8(ascii: " "), count: JSONFile.maximumSize)
    let path = try folder.write("{}".utf8 + spaces, to: "config.json")
    #expect(throws: CheckpointError.self) { try JSONFile(path: path) }
  }

  @Test func survivesMutations() throws {
    let original = Array(
      """
      {\(Self.minimal), "model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12,
       "pad_token_id": 0, "pruned_heads": {}, "is_decoder": false}
      """.utf8)
    let seed = SeededGenerator.seed
    var generator = SeededGenerator(seed: seed)
    var read = 0
    for round in 0..<20_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let position = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes[position] = UInt8.random(in: 0...255, using: &generator)
        case 1 where bytes.count > 1: bytes.remove(at: position)
        default: bytes.insert(original.randomElement(using: &generator)!, at: position)
        }
      }
      do {
        let configuration = try ModelConfiguration.huggingFace(
          JSONFile(path: "config.json", bytes: bytes))
        #expect(configuration.headSize > 0, "seed \(seed), round \(round)")
        read += 1
      } catch {
        if !error.message.contains("config.json") {
          Issue.record("seed \(seed), round \(round): \(error)")
        }
      }
    }
    #expect(read > 0, "seed \(seed): some mutations only change white space")
  }
}
