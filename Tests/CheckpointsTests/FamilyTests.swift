import TestSupport
import Testing

@testable import Checkpoints

/// What Hugging Face's families other than BERT fill into the configuration, and how their tensors are
/// called.
struct FamilyTests {
  /// By transformers 5.23: `MPNetEncoder.relative_position_bucket` on a key after the query.
  @Test func bucketsArePyTorchs() {
    let starts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]
    for (bucket, start) in starts.enumerated() {
      let end = bucket + 1 < starts.count ? starts[bucket + 1] : 1 << 20
      for distance in [start, start + (end - start) / 2, end - 1] {
        #expect(RelativeBias.bucket(distance: -distance) == bucket, "\(-distance)")
        guard distance > 0 else { continue }
        #expect(RelativeBias.bucket(distance: distance) == 16 + bucket, "\(distance)")
      }
    }
    #expect(RelativeBias.bucket(distance: .min) == 15 && RelativeBias.bucket(distance: .max) == 31)
  }

  @Test func mpnet() throws {
    let plain = try readConfiguration(
      #""model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 7"#)
    #expect(plain.positionCount == 512 && plain.hasPaddingPosition && plain.padTokenID == 1)
    #expect(plain.relativeBias == RelativeBias(bucketCount: 32))
    #expect(plain.projectedSize == nil && plain.modelType == "mpnet")
    let names = TensorNames(plain).required
    #expect(names.contains(.init("encoder.relative_attention_bias.weight", [32, 2])))
    let more = try readConfiguration(
      #""model_type": "mpnet", "relative_attention_num_buckets": 40"#)
    #expect(more.relativeBias == RelativeBias(bucketCount: 40))
    for value in ["31", "0", "\"32\"", "1e9"] {
      let error = try #require(throws: CheckpointError.self) {
        try readConfiguration(
          "\"model_type\": \"mpnet\", \"relative_attention_num_buckets\": \(value)")
      }
      #expect(error.message.contains("\"relative_attention_num_buckets\" must be"), "\(value)")
    }
  }

  @Test func electra() throws {
    let small = try readConfiguration(#""model_type": "electra", "embedding_size": 5"#)
    #expect(small.projectedSize == 5 && small.embeddingSize == 5 && small.relativeBias == nil)
    let names = TensorNames(small).required
    for (name, shape) in [
      ("embeddings.word_embeddings.weight", [100, 5]), ("embeddings.LayerNorm.bias", [5]),
      ("embeddings_project.weight", [8, 5]), ("encoder.layer.0.output.LayerNorm.bias", [8]),
    ] {
      #expect(names.contains(.init(name, shape)), "\(name)")
    }
    let base = try readConfiguration(#""model_type": "electra", "embedding_size": 8"#)
    #expect(base.projectedSize == nil && base.embeddingSize == 8)
    #expect(try readConfiguration(#""model_type": "electra""#).embeddingSize == 128)
    // BERT's configuration does not know the key.
    #expect(
      try readConfiguration(#""model_type": "bert", "embedding_size": 5"#).projectedSize == nil)
    let error = try #require(throws: CheckpointError.self) {
      try readConfiguration(#""model_type": "electra", "embedding_size": 0"#)
    }
    #expect(error.message.contains("\"embedding_size\""))
  }

  @Test func albert() throws {
    let plain = try readConfiguration(#""model_type": "albert", "embedding_size": 8"#)
    #expect(plain.projectedSize == 8 && plain.blockSetCount == 1 && plain.activation == .geluTanh)
    let names = TensorNames(plain).required
    #expect(names.contains(.init("embeddings_project.weight", [8, 8])))
    #expect(!names.contains { $0.name.hasPrefix("encoder.layer.1.") })
    let pairs = try readConfiguration(
      #""model_type": "albert", "num_hidden_groups": 2, "hidden_act": "gelu", "inner_group_num": 1"#
    )
    #expect(pairs.blockSetCount == 2 && pairs.embeddingSize == 128 && pairs.activation == .geluErf)
    for (key, value) in [
      ("num_hidden_groups", 3), ("num_hidden_groups", 0), ("inner_group_num", 2),
    ] {
      let error = try #require(throws: CheckpointError.self) {
        try readConfiguration("\"model_type\": \"albert\", \"\(key)\": \(value)")
      }
      #expect(error.message.contains("\"\(key)\" must be") || error.message.contains("must divide"))
    }
    var four = plain
    (four.blockCount, four.blockSetCount) = (12, 3)
    #expect((0..<12).map(four.blockSet) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
  }

  @Test(arguments: [
    (
      "albert", "encoder.albert_layer_groups.2.albert_layers.0.attention.dense.weight",
      "encoder.layer.2.attention.output.dense.weight"
    ),
    (
      "albert", "encoder.albert_layer_groups.0.albert_layers.0.full_layer_layer_norm.bias",
      "encoder.layer.0.output.LayerNorm.bias"
    ),
    (
      "albert", "encoder.albert_layer_groups.0.albert_layers.1.ffn.bias",
      "encoder.albert_layer_groups.0.albert_layers.1.ffn.bias"
    ),
    ("albert", "encoder.embedding_hidden_mapping_in.weight", "embeddings_project.weight"),
    ("albert", "pooler.weight", "pooler.dense.weight"),
    (
      "mpnet", "encoder.layer.3.attention.attn.q.weight",
      "encoder.layer.3.attention.self.query.weight"
    ),
    (
      "mpnet", "encoder.layer.3.attention.attn.o.bias",
      "encoder.layer.3.attention.output.dense.bias"
    ),
    (
      "mpnet", "encoder.layer.3.attention.LayerNorm.gamma",
      "encoder.layer.3.attention.output.LayerNorm.weight"
    ),
    ("mpnet", "encoder.layer.3.output.LayerNorm.weight", "encoder.layer.3.output.LayerNorm.weight"),
    ("mpnet", "encoder.relative_attention_bias.weight", "encoder.relative_attention_bias.weight"),
    ("bert", "encoder.layer.3.attention.attn.q.weight", "encoder.layer.3.attention.attn.q.weight"),
    ("electra", "embeddings_project.bias", "embeddings_project.bias"),
    (
      "distilbert", "transformer.layer.11.sa_layer_norm.weight",
      "encoder.layer.11.attention.output.LayerNorm.weight"
    ),
    ("distilbert", "transformer.layer.11", "transformer.layer.11"),
    ("distilbert", "transformer.layer", "transformer.layer"),
    ("roberta", "embeddings.position_ids", nil), ("roberta", "", ""), ("mpnet", "...", "..."),
    (
      "deberta-v2", "encoder.layer.3.attention.self.query_proj.weight",
      "encoder.layer.3.attention.self.query.weight"
    ),
    (
      "deberta-v2", "encoder.layer.3.attention.self.pos_key_proj.bias",
      "encoder.layer.3.attention.self.relative_key.bias"
    ),
    ("deberta-v2", "encoder.rel_embeddings.weight", "encoder.relative_embeddings.weight"),
    ("deberta-v2", "encoder.LayerNorm.bias", "encoder.relative.LayerNorm.bias"),
    ("modernbert", "embeddings.tok_embeddings.weight", "embeddings.word_embeddings.weight"),
    ("modernbert", "layers.21.mlp_norm.weight", "encoder.layer.21.intermediate.LayerNorm.weight"),
    ("modernbert", "final_norm.weight", "encoder.LayerNorm.weight"),
    ("eurobert", "norm.weight", "encoder.LayerNorm.weight"),
    (
      "eurobert", "layers.0.post_attention_layernorm.weight",
      "encoder.layer.0.intermediate.LayerNorm.weight"
    ),
    ("eurobert", "layers.0.mlp.gate_proj.weight", "encoder.layer.0.intermediate.gate.weight"),
    (
      "gte", "layers.7.post_attention_layernorm.bias",
      "encoder.layer.7.attention.output.LayerNorm.bias"
    ),
    ("new", "encoder.layer.7.mlp_ln.bias", "encoder.layer.7.output.LayerNorm.bias"),
    ("nomic_bert", "emb_ln.weight", "embeddings.LayerNorm.weight"),
    ("nomic_bert", "encoder.layers.2.mlp.fc12.weight", "encoder.layer.2.intermediate.gate.weight"),
  ])
  func canonicalNames(_ type: String, _ name: String, _ canonical: String?) throws {
    let family = try #require(HuggingFaceFamily.all.first { $0.modelTypes.contains(type) })
    #expect(family.canonicalNames(name) == (canonical.map { [$0] } ?? []))
  }

  /// Layers that are stored as one, in the order of their rows.
  @Test(arguments: [
    ("modernbert", "layers.1.attn.Wqkv.weight", "attention.self", ["query", "key", "value"]),
    ("modernbert", "layers.1.mlp.Wi.weight", "intermediate", ["gate", "dense"]),
    ("new", "encoder.layer.1.mlp.up_gate_proj.weight", "intermediate", ["dense", "gate"]),
    (
      "new", "encoder.layer.1.attention.qkv_proj.weight", "attention.self",
      ["query", "key", "value"]
    ),
    (
      "nomic_bert", "encoder.layers.1.attn.Wqkv.weight", "attention.self",
      ["query", "key", "value"]
    ),
  ])
  func fusedLayers(_ type: String, _ name: String, _ part: String, _ layers: [String]) throws {
    let family = try #require(HuggingFaceFamily.all.first { $0.modelTypes.contains(type) })
    #expect(
      family.canonicalNames(name) == layers.map { "encoder.layer.1.\(part).\($0).weight" })
  }

  /// By PyTorch 2.13 in float32.
  @Test func frequenciesArePyTorchs() {
    let plain = RotaryEmbedding(theta: 160_000).frequencies(size: 64)
    #expect(
      [1, 5, 13, 31].map { plain[$0] } == [
        0.687656044960022, 0.15376456081867218, 0.007688228040933609, 9.088847036764491e-06,
      ])
    var stretched = RotaryEmbedding(theta: 20_000)
    stretched.scaling = 8
    let scaled = stretched.frequencies(size: 64)
    #expect(
      [0, 1, 5, 31].map { scaled[$0] } == [
        0.9370837807655334, 0.6443912982940674, 0.14409027993679047, 8.51701133797178e-06,
      ])
  }

  @Test func modernBERT() throws {
    let plain = try readConfiguration(#""model_type": "modernbert", "num_hidden_layers": 4"#)
    #expect(plain.isPreNorm && !plain.hasFirstNorm && plain.isGated && plain.biases == [])
    #expect(!plain.hasPositionTable && plain.positionCount == 8192)
    #expect(plain.blockAttention.map(\.window) == [nil, 65, 65, nil])
    #expect(plain.blockAttention.map { $0.rotary?.theta } == [160_000, 10_000, 10_000, 160_000])
    let listed = try readConfiguration(
      """
      "model_type": "modernbert", "num_hidden_layers": 2, "norm_bias": true, "local_attention": 9,
      "layer_types": ["sliding_attention", "full_attention"],
      "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 7.5},
                          "sliding_attention": {"rope_theta": 9}}
      """)
    #expect(listed.blockAttention.map(\.window) == [5, nil] && listed.biases == .norms)
    #expect(listed.blockAttention.map { $0.rotary?.theta } == [9, 7.5])
    for (members, words) in [
      (#""layer_types": ["full_attention"], "num_hidden_layers": 2"#, "layer_types"),
      (#""layer_types": ["causal"], "num_hidden_layers": 1"#, "layer_types"),
      (
        #""rope_parameters": {"full_attention": {"rope_type": "yarn", "factor": 4}}"#,
        "rope_parameters"
      ),
      (#""rope_scaling": {"type": "linear"}"#, "rope_scaling"),
      (
        #""rope_parameters": {"rope_type": "yarn", "factor": 4}"#, "only the members full_attention"
      ),
      (#""sliding_window": -1"#, "sliding_window"),
      (#""hidden_activation": "mish""#, #"hidden_activation "mish""#),
      (#""global_rope_theta": -1"#, "global_rope_theta"),
      (#""local_attention": 0"#, "local_attention"),
      (#""max_position_embeddings": 1048576, "hidden_size": 16384"#, "max_position_embeddings"),
      (#""hidden_size": 6, "num_attention_heads": 2"#, "even size"),
    ] {
      let error = try #require(throws: CheckpointError.self) {
        try readConfiguration("\"model_type\": \"modernbert\", \(members)")
      }
      #expect(error.message.contains(words), "\(error.message)")
    }
  }

  /// As transformers' property, whose setter counts after `local_attention`.
  @Test func slidingWindow() throws {
    let both = try readConfiguration(
      #""model_type": "modernbert", "local_attention": 7, "sliding_window": 1"#)
    #expect(both.blockAttention.map(\.window) == [nil, 2])
  }

  @Test func nomicBERT() throws {
    func theta(_ members: String) throws -> Double? {
      try readConfiguration("\"model_type\": \"nomic_bert\", \(members)").blockAttention[0].rotary?
        .theta
    }
    #expect(try theta(#""rope_theta": 50"#) == 50)
    #expect(try theta(#""rope_theta": 50, "rope_parameters": {"rope_type": "default"}"#) == 50)
    #expect(try theta(#""rotary_emb_base": 1000"#) == 1000)
    for members in [
      #""rotary_emb_base": 50"#, #""rope_theta": -1"#, #""rope_theta": "x""#,
      #""rotary_scaling_factor": "x""#,
    ] {
      #expect(throws: CheckpointError.self, "\(members)") { try theta(members) }
    }
  }

  @Test func nomicBERTInItsOwnKeys() throws {
    let own = """
      "model_type": "nomic_bert", "n_embd": 64, "n_layer": 3, "n_head": 4, "n_inner": 96,
      "n_positions": 8192, "layer_norm_epsilon": 1e-6, "activation_function": "swiglu",
      "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0, "auto_map": {"AutoModel": "x.Y"}
      """
    func configuration(_ more: String = "") throws -> ModelConfiguration {
      try .huggingFace(
        JSONFile(
          path: "config.json", bytes: Array("{\"vocab_size\": 10, \(own)\(more)}".utf8)))
    }
    let plain = try configuration()
    #expect(plain.hiddenSize == 64 && plain.blockCount == 3 && plain.headCount == 4)
    #expect(plain.intermediateSize == 96 && plain.positionCount == 8192)
    #expect(plain.activation == .silu && plain.biases == .norms && !plain.isPreNorm)
    #expect(plain.layerNormEpsilon == 1e-6 && plain.typeCount == 2)
    // Longer ones would have other angles.
    #expect(try configuration(#", "rotary_scaling_factor": 2"#).positionCount == 2048)
    for more in [
      #""prenorm": true"#, #""qkv_proj_bias": true"#, #""num_experts": 8"#,
      #""rotary_emb_interleaved": true"#, #""rotary_emb_fraction": 0.5"#, #""use_rms_norm": true"#,
    ] {
      #expect(throws: CheckpointError.self, "\(more)") { try configuration(", \(more)") }
    }
  }

  @Test func gte() throws {
    let own = try readConfiguration(
      """
      "model_type": "new", "rope_theta": 500000, "rope_scaling": {"type": "ntk", "factor": 2},
      "type_vocab_size": 0, "position_embedding_type": "rope", "max_position_embeddings": 8192
      """)
    #expect(own.typeCount == 2 && !own.hasTypeTable && own.isGated && !own.isPreNorm)
    #expect(own.blockAttention[0].rotary?.theta == 500_000)
    #expect(own.blockAttention[0].rotary?.scaling == 2)
    #expect(
      try readConfiguration(#""model_type": "gte""#).blockAttention[0].rotary?.theta == 160_000)
    for members in [
      #""rope_scaling": {"type": "linear", "factor": 2}"#,
      #""rope_scaling": {"type": "ntk", "factor": 2, "mixed_b": 1}"#,
      #""rope_scaling": {"type": "ntk"}"#, #""logn_attention_scale": true"#,
      #""position_embedding_type": "absolute""#, #""layer_norm_type": "rms_norm""#,
    ] {
      #expect(throws: CheckpointError.self, "\(members)") {
        try readConfiguration("\"model_type\": \"new\", \(members)")
      }
    }
  }

  @Test func euroBERT() throws {
    let plain = try readConfiguration(
      #""model_type": "eurobert", "num_attention_heads": 4, "hidden_size": 16, "num_key_value_heads": 2"#
    )
    #expect(plain.isRootMeanSquareNorm && plain.isPreNorm && !plain.hasEmbeddingNorm)
    #expect(plain.keyValueHeadCount == 2 && plain.activation == .silu)
    let names = TensorNames(plain).required
    #expect(names.contains(.init("encoder.layer.0.attention.self.key.weight", [8, 16])))
    for members in [#""num_key_value_heads": 3"#, #""num_key_value_heads": 5"#, #""head_dim": 8"#] {
      #expect(throws: CheckpointError.self, "\(members)") {
        try readConfiguration(
          "\"model_type\": \"eurobert\", \"num_attention_heads\": 4, \"hidden_size\": 16, \(members)"
        )
      }
    }
  }

  @Test func aRefusalListsTheFamilies() throws {
    let error = try #require(throws: CheckpointError.self) {
      try readConfiguration(#""model_type": "t5""#)
    }
    #expect(
      error.message.hasSuffix(
        "is not supported; these are: "
          + HuggingFaceFamily.all.filter { $0.classPrefix == nil }.flatMap(\.modelTypes)
          .joined(separator: ", ")))
  }
}
