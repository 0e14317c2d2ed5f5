import TestSupport
import Testing

@testable import Checkpoints

/// What Hugging Face's families other than BERT fill into the configuration, and how their tensors are
/// called.
struct FamilyTests {
  private func read(_ members: String) throws -> ModelConfiguration {
    try .huggingFace(
      JSONFile(
        path: "config.json",
        bytes: Array("{\(ModelConfigurationTests.minimal), \(members)}".utf8)))
  }

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
    let plain = try read(
      #""model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 7"#)
    #expect(plain.positionCount == 512 && plain.hasPaddingPosition && plain.padTokenID == 1)
    #expect(plain.relativeBias == RelativeBias(bucketCount: 32))
    #expect(plain.projectedSize == nil && plain.modelType == "mpnet")
    let names = TensorNames(plain).required
    #expect(names.contains(.init("encoder.relative_attention_bias.weight", [32, 2])))
    let more = try read(#""model_type": "mpnet", "relative_attention_num_buckets": 40"#)
    #expect(more.relativeBias == RelativeBias(bucketCount: 40))
    for value in ["31", "0", "\"32\"", "1e9"] {
      let error = try #require(throws: CheckpointError.self) {
        try read("\"model_type\": \"mpnet\", \"relative_attention_num_buckets\": \(value)")
      }
      #expect(error.message.contains("\"relative_attention_num_buckets\" must be"), "\(value)")
    }
  }

  @Test func electra() throws {
    let small = try read(#""model_type": "electra", "embedding_size": 5"#)
    #expect(small.projectedSize == 5 && small.embeddingSize == 5 && small.relativeBias == nil)
    let names = TensorNames(small).required
    for (name, shape) in [
      ("embeddings.word_embeddings.weight", [100, 5]), ("embeddings.LayerNorm.bias", [5]),
      ("embeddings_project.weight", [8, 5]), ("encoder.layer.0.output.LayerNorm.bias", [8]),
    ] {
      #expect(names.contains(.init(name, shape)), "\(name)")
    }
    let base = try read(#""model_type": "electra", "embedding_size": 8"#)
    #expect(base.projectedSize == nil && base.embeddingSize == 8)
    #expect(try read(#""model_type": "electra""#).embeddingSize == 128)
    // BERT's configuration does not know the key.
    #expect(try read(#""model_type": "bert", "embedding_size": 5"#).projectedSize == nil)
    let error = try #require(throws: CheckpointError.self) {
      try read(#""model_type": "electra", "embedding_size": 0"#)
    }
    #expect(error.message.contains("\"embedding_size\""))
  }

  @Test func albert() throws {
    let plain = try read(#""model_type": "albert", "embedding_size": 8"#)
    #expect(plain.projectedSize == 8 && plain.blockSetCount == 1 && plain.activation == .geluTanh)
    let names = TensorNames(plain).required
    #expect(names.contains(.init("embeddings_project.weight", [8, 8])))
    #expect(!names.contains { $0.name.hasPrefix("encoder.layer.1.") })
    let pairs = try read(
      #""model_type": "albert", "num_hidden_groups": 2, "hidden_act": "gelu", "inner_group_num": 1"#
    )
    #expect(pairs.blockSetCount == 2 && pairs.embeddingSize == 128 && pairs.activation == .geluErf)
    for (key, value) in [
      ("num_hidden_groups", 3), ("num_hidden_groups", 0), ("inner_group_num", 2),
    ] {
      let error = try #require(throws: CheckpointError.self) {
        try read("\"model_type\": \"albert\", \"\(key)\": \(value)")
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
  ])
  func canonicalNames(_ type: String, _ name: String, _ canonical: String?) throws {
    let family = try #require(HuggingFaceFamily.all.first { $0.modelTypes.contains(type) })
    #expect(family.canonicalName(name) == canonical)
  }

  @Test func aRefusalListsTheFamilies() throws {
    let error = try #require(throws: CheckpointError.self) { try read(#""model_type": "t5""#) }
    #expect(
      error.message.hasSuffix(
        "is not supported; these are: "
          + HuggingFaceFamily.all.flatMap(\.modelTypes).joined(separator: ", ")))
  }
}
