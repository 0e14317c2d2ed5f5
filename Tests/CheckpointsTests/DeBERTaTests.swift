import TestSupport
import Testing

@testable import Checkpoints

/// What DeBERTa's `config.json` says.
struct DeBERTaTests {
  private func read(_ members: String) throws -> ModelConfiguration {
    try readConfiguration("\"model_type\": \"deberta-v2\"\(members)")
  }

  private static let published = """
    , "relative_attention": true, "position_buckets": 256, "norm_rel_ebd": "layer_norm", \
    "share_att_key": true, "pos_att_type": "p2c|c2p", "max_relative_positions": -1, \
    "position_biased_input": false, "type_vocab_size": 0
    """

  @Test func asPublished() throws {
    let found = try read(Self.published)
    #expect(found.disentangled == DisentangledAttention(bucketCount: 256, maxDistance: 512))
    #expect(
      found.scoreTerms == 3 && found.paddingAttendsUniformly && found.layerNormEpsilon == 1e-7)
    #expect(!found.hasPositionTable && !found.hasTypeTable && found.typeCount == 2)
    let names = TensorNames(found).required
    for (name, shape) in [
      ("encoder.relative_embeddings.weight", [512, 8]), ("encoder.relative.LayerNorm.bias", [8]),
    ] {
      #expect(names.contains(.init(name, shape)), "\(name)")
    }
    #expect(!names.contains { $0.name.contains("relative_key") || $0.name.contains("position") })
  }

  /// `DebertaV2Config`'s defaults, with and without distances.
  @Test func defaults() throws {
    let plain = try read("")
    #expect(plain.disentangled == nil && plain.scoreTerms == 1 && plain.hasPositionTable)
    #expect(try read(#", "pos_att_type": ["c2p", "p2c"]"#).scoreTerms == 3)
    let own = try read(
      #", "relative_attention": true, "pos_att_type": ["p2c"], "embedding_size": 5, "max_relative_positions": 20"#
    )
    #expect(
      own.disentangled
        == DisentangledAttention(
          hasKeys: false, bucketCount: 20, hasNorm: false, sharesLayers: false))
    #expect(own.scoreTerms == 2 && own.projectsFirst && own.embeddingSize == 5)
    let names = TensorNames(own).required
    for (name, shape) in [
      ("encoder.layer.1.attention.self.relative_query.bias", [8]),
      ("embeddings_project.weight", [8, 5]), ("embeddings.LayerNorm.weight", [8]),
      ("encoder.relative_embeddings.weight", [40, 8]),
    ] {
      #expect(names.contains(.init(name, shape)), "\(name)")
    }
    #expect(
      !names.contains { $0.name.contains("relative_key") || $0.name.contains("project.bias") })
  }

  @Test func convolution() throws {
    #expect(try read("").convolution == nil)
    #expect(try read(#", "conv_kernel_size": 0"#).convolution == nil)
    #expect(try read(#", "conv_kernel_size": 3"#).convolution == .init(size: 3))
    #expect(
      try read(#", "conv_kernel_size": 3, "conv_act": "relu", "hidden_act": "gelu""#).convolution
        == .init(size: 3, activation: .relu))
  }

  @Test(arguments: [
    (#""conv_kernel_size": 2"#, "\"conv_kernel_size\" must be odd"),
    (#""conv_kernel_size": 3, "conv_groups": 2"#, "\"conv_groups\" must be 1"),
    (#""conv_kernel_size": 3, "conv_act": "sine""#, "conv_act \"sine\" is not supported"),
    (#""conv_kernel_size": 9223372036854775807"#, "\"conv_kernel_size\" must be"),
    (#""norm_rel_ebd": "batch_norm""#, "\"norm_rel_ebd\" is \"batch_norm\""),
    (#""pos_att_type": "p2p|c2p""#, "\"pos_att_type\" must have no others"),
    (#""pos_att_type": """#, "\"pos_att_type\" must have \"c2p\" or \"p2c\""),
    (#""attention_head_size": 8"#, "\"attention_head_size\" must be 4"),
    (#""pooler_hidden_size": 4"#, "\"pooler_hidden_size\" must be 8"),
    (#""position_buckets": 1"#, "\"position_buckets\" must be 2 to 1021"),
    (#""max_relative_positions": 100"#, "\"position_buckets\" must be"),
    (#""position_buckets": 40000"#, "\"position_buckets\" must be"),
    (#""position_buckets": -2"#, "\"position_buckets\" must be"),
    (#""max_relative_positions": 32769"#, "\"max_relative_positions\" must be"),
    (#""max_relative_positions": -2"#, "\"max_relative_positions\" must be"),
    (#""max_relative_positions": 9223372036854775807"#, "\"max_relative_positions\" must be"),
    (
      #""position_buckets": -1, "max_position_embeddings": 65536"#,
      "\"max_relative_positions\" must be"
    ),
    (#""pos_att_type": 5"#, "\"pos_att_type\" must be"),
    (#""pos_att_type": [5]"#, "\"pos_att_type\" must be"),
    (#""embedding_size": 0"#, "\"embedding_size\" must be"),
    (#""type_vocab_size": -1"#, "\"type_vocab_size\" must be"),
    (#""relative_attention": "yes""#, "\"relative_attention\" must be"),
  ])
  func refusals(_ member: String, _ reason: String) throws {
    let key = member.split(separator: ":")[0]
    let members = Self.published.split(separator: ",", omittingEmptySubsequences: true)
      .filter { !$0.contains(key) }.joined(separator: ",")
    let error = try #require(throws: CheckpointError.self) { try read(",\(members), \(member)") }
    #expect(error.message.contains(reason), "\(error.message)")
  }

  /// By transformers 5.23, `make_log_bucket_position`: the sum of each distance times its bucket.
  @Test(arguments: [
    (256, 512, 512, 27_457_213), (16, 130, 130, 118_853), (48, 500, 500, 5_449_587),
    (320, 512, 512, 33_044_582), (2, 10, 40, 780), (7, 30, 30, 2_120),
  ])
  func bucketsArePyTorchs(_ count: Int, _ maxDistance: Int, _ length: Int, _ sum: Int) {
    let attention = DisentangledAttention(bucketCount: count, maxDistance: maxDistance)
    func bucket(_ distance: Int) -> Int { count - attention.row(distance: distance) }
    #expect((0..<length).reduce(0) { $0 - $1 * bucket(-$1) } == sum)
    for distance in 1..<length {
      #expect(bucket(distance) == -bucket(-distance))
      #expect(attention.row(distance: distance) <= attention.row(distance: distance - 1))
    }
    for distance in [-1 << 20, 1 << 20] {
      #expect((0..<2 * count).contains(attention.row(distance: distance)))
    }
  }
}
