import TestSupport
import Testing

@testable import Checkpoints

/// JinaBERT and NeoBERT, whose code transformers does not have.
struct RemoteCodeFamilyTests {
  private static let jina = """
    "model_type": "bert", "architectures": ["JinaBertModel"], "position_embedding_type": "alibi",
    "feed_forward_type": "geglu"
    """

  @Test func jinaBERT() throws {
    let plain = try readConfiguration(Self.jina + #", "hidden_act": "relu", "emb_pooler": "mean""#)
    #expect(plain.hasLinearBias && !plain.hasPositionTable && plain.hasTypeTable && plain.isGated)
    #expect(plain.activation == .geluErf && !plain.isPreNorm && !plain.normsQueriesAndKeys)
    #expect(plain.biases == [.attention, .output, .norms])
    let names = TensorNames(plain).required.map(\.name)
    #expect(names.contains("encoder.layer.0.intermediate.gate.weight"))
    #expect(!names.contains("encoder.layer.0.intermediate.dense.bias"))
    #expect(!names.contains(TensorNames.tables[1]))
    let gated = try readConfiguration(Self.jina.replacing("geglu", with: "reglu"))
    #expect(gated.activation == .relu && gated.isGated)
    let original = try readConfiguration(
      Self.jina.replacing("geglu", with: "original") + #", "hidden_act": "silu""#)
    #expect(original.activation == .silu && !original.isGated && original.biases == .all)
  }

  /// Where another class of the folder's own is named, or none is.
  @Test func jinaBERTIsKnownByItsClasses() throws {
    let named = #""auto_map": {"AutoModel": "jinaai/own--modeling_bert.JinaBertModel"}"#
    let other = Self.jina.replacing("JinaBertModel", with: "BertForMaskedLM")
    #expect(try readConfiguration("\(other), \(named)").hasLinearBias)
    for members in [other, "\(other), \(named.replacing("JinaBertModel", with: "Model"))"] {
      let error = try #require(throws: CheckpointError.self) { try readConfiguration(members) }
      #expect(error.message.contains("position_embedding_type"), "\(error.message)")
    }
  }

  @Test(arguments: [
    (#""alibi""#, #""absolute""#, "position_embedding_type"), (#""alibi""#, "null", "alibi"),
    (#""geglu""#, #""swiglu""#, "feed_forward_type"), (#""geglu""#, "null", "feed_forward_type"),
    (#""geglu""#, #""original", "hidden_act": "mish""#, "hidden_act"),
    (#""geglu""#, #""geglu", "emb_pooler": "cls""#, "emb_pooler"),
    (
      #""geglu""#,
      #""geglu", "max_position_embeddings": 1048576, "num_attention_heads": 32, "hidden_size": 64"#,
      "with 32 heads"
    ),
  ])
  func refusalsOfJinaBERT(_ old: String, _ new: String, _ words: String) throws {
    let error = try #require(throws: CheckpointError.self) {
      try readConfiguration(Self.jina.replacing(old, with: new))
    }
    #expect(error.message.contains(words), "\(error.message)")
  }

  /// Norms of queries and keys are known by their tensors.
  @Test func jinaBERTWithNorms() throws {
    var configuration = try readConfiguration(Self.jina.replacing("geglu", with: "original"))
    let family = HuggingFaceFamily.jinaBERT
    family.configureFromTensors(&configuration) { _ in false }
    #expect(!configuration.normsQueriesAndKeys && configuration.biases == .all)
    family.configureFromTensors(&configuration) {
      $0 == family.canonicalNames("encoder.layer.0.attention.self.layer_norm_q.weight")[0]
    }
    #expect(configuration.normsQueriesAndKeys && configuration.hasSecondAttentionResidual)
    #expect(configuration.biases == [.attention, .output, .norms])
    let names = TensorNames(configuration).required
    for name in ["self.query", "self.key", "sum"] {
      #expect(names.contains(.init("encoder.layer.1.attention.\(name).LayerNorm.bias", [8])))
    }
  }

  /// By PyTorch's `torch.Tensor` of the slopes that jina-bert-implementation computes.
  @Test func slopesArePyTorchs() {
    #expect(LinearBias.slopes(headCount: 8) == (1...8).map { 1 / Float(1 << $0) })
    #expect(LinearBias.slopes(headCount: 1) == [0x1p-8])
    #expect(
      LinearBias.slopes(headCount: 12) == [
        0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625, 0.7071067690849304,
        0.3535533845424652, 0.1767766922712326, 0.0883883461356163,
      ])
    #expect(LinearBias.value(slope: 0.25, distance: -3) == -0.75)
  }

  @Test func neoBERT() throws {
    let plain = try readConfiguration(
      #""model_type": "neobert", "norm_eps": 1e-5, "max_length": 4096, "dim_head": 4"#)
    #expect(plain.isPreNorm && plain.isRootMeanSquareNorm && plain.isGated && plain.biases == [])
    #expect(plain.activation == .silu && plain.positionCount == 4096 && !plain.hasTypeTable)
    #expect(plain.blockAttention.map { $0.rotary?.theta } == [10_000, 10_000])
    // ⌊2 · 16 / 3⌋ = 10, and the multiple of 8 above.
    #expect(plain.intermediateSize == 16 && plain.layerNormEpsilon == 1e-5)
    let defaults = try readConfiguration(#""model_type": "neobert", "intermediate_size": 3072"#)
    #expect(defaults.intermediateSize == 2048 && defaults.layerNormEpsilon == 1e-6)
    #expect(defaults.positionCount == 1024)
    for (members, words) in [
      (#""rope": false"#, "rope"), (#""ngpt": true"#, "ngpt"), (#""rms_norm": false"#, "rms_norm"),
      (#""hidden_act": "gelu""#, "hidden_act"), (#""dim_head": 8"#, "dim_head"),
      (#""rope_theta": 500"#, "rope_theta"), (#""rope_scaling": {"type": "ntk"}"#, "rope_scaling"),
      (#""max_length": 10, "max_position_embeddings": 11"#, "max_position_embeddings"),
      (#""max_length": 1000000000000"#, "max_length"), (#""hidden_size": 6"#, "even size"),
    ] {
      let error = try #require(throws: CheckpointError.self) {
        try readConfiguration("\"model_type\": \"neobert\", \(members)")
      }
      #expect(error.message.contains(words), "\(error.message)")
    }
  }

  @Test(arguments: [
    ("mlp.wo.bias", "output.dense.bias"), ("mlp.layernorm.weight", "output.LayerNorm.weight"),
    ("layer_norm_1.bias", "attention.sum.LayerNorm.bias"),
    ("layer_norm_2.weight", "output.LayerNorm.weight"),
    ("attention.self.layer_norm_k.bias", "attention.self.key.LayerNorm.bias"),
    ("attention.output.dense.weight", "attention.output.dense.weight"),
    ("mlp.down_layer.bias", "output.dense.bias"),
    ("mlp.up_layer.weight", "intermediate.dense.weight"),
  ])
  func namesOfJinaBERT(_ name: String, _ canonical: String) {
    let found = HuggingFaceFamily.jinaBERT.canonicalNames("encoder.layer.3.\(name)")
    #expect(found == ["encoder.layer.3.\(canonical)"])
  }

  @Test func namesOfFusedLayers() {
    let (jina, neo) = (HuggingFaceFamily.jinaBERT, HuggingFaceFamily.neoBERT)
    let feedForward = ["gate", "dense"].map { "encoder.layer.1.intermediate.\($0).weight" }
    #expect(jina.canonicalNames("encoder.layer.1.mlp.gated_layers.weight") == feedForward)
    #expect(
      jina.canonicalNames("encoder.layer.1.mlp.up_gated_layer.weight") == feedForward.reversed())
    #expect(neo.canonicalNames("transformer_encoder.1.ffn.w12.weight") == feedForward)
    #expect(neo.canonicalNames("encoder.weight") == ["embeddings.word_embeddings.weight"])
    #expect(neo.canonicalNames("layer_norm.weight") == ["encoder.LayerNorm.weight"])
    #expect(
      neo.canonicalNames("transformer_encoder.1.ffn_norm.weight")
        == ["encoder.layer.1.intermediate.LayerNorm.weight"])
  }

  /// Heads of 6 side by side: of each the queries, the keys, the values; pairs are neighbours.
  @Test func fusedHeads() throws {
    let configuration = try readConfiguration(
      #""model_type": "neobert", "hidden_size": 12, "num_attention_heads": 2"#)
    let values = (0..<36 * 12).map { Float($0 / 12) }
    let tensor = Tensor(name: "qkv", shape: [36, 12], floats: values)
    for (part, start) in [0, 6, 12].enumerated() {
      let order = part == 2 ? [0, 1, 2, 3, 4, 5] : [0, 2, 4, 1, 3, 5]
      let expected = [start, 18 + start].flatMap { first in order.map { first + $0 } }
      let rows = try #require(tensor.rows(configuration.fusedRows(part)))
      #expect(rows.shape == [12, 12] && rows.count == 144)
      #expect(try rows.floats() == expected.flatMap { Array(repeating: Float($0), count: 12) })
      let some = try #require(rows.rows(1..<3))
      #expect(try some.floats() == Array(try rows.floats()[12..<36]))
    }
    #expect(tensor.rows([36]) == nil && tensor.rows([-1]) == nil)
  }
}
