import Testing

@testable import Checkpoints

struct TensorFlowTests {
  @Test(arguments: ["saved_model", "original"])
  func everyTensorIsThatOfTheWeights(_ name: String) throws {
    let expected = try Checkpoint(folder: Fixtures.folder("small/weights"))
    let checkpoint = try Checkpoint(folder: Fixtures.folder("small/\(name)"))
    #expect(checkpoint.format == (name == "original" ? .original : .savedModel))
    #expect(checkpoint.configuration == expected.configuration)
    #expect(checkpoint.configuration.activation == .geluTanh)
    #expect(checkpoint.lowercases == true)
    #expect(checkpoint.tensorNames == expected.tensorNames)
    for name in expected.tensorNames {
      let tensor = try #require(checkpoint.tensor(name))
      let other = try #require(expected.tensor(name))
      #expect(tensor.shape == other.shape)
      let isSame = try tensor.floats().map(\.bitPattern) == other.floats().map(\.bitPattern)
      #expect(isSame, "\(name)")
    }
  }

  @Test func theMicroModelsAreTheSame() throws {
    let saved = try Checkpoint(folder: Fixtures.folder("micro/saved_model"))
    let original = try Checkpoint(folder: Fixtures.folder("micro/original"))
    #expect(saved.configuration == original.configuration)
    #expect(saved.configuration.headCount == 2)
    for checkpoint in [saved, original] {
      let configuration = checkpoint.configuration
      _ = try checkpoint.tensors(
        BERTShapes.required(configuration), optional: [BERTShapes.pooler(configuration)])
    }
  }

  private func message(of folder: TemporaryFolder) throws -> String {
    try #require(throws: CheckpointError.self) { try Checkpoint(folder: folder.path) }.message
  }

  @Test(arguments: ["saved_model/variables/variables", "original/bert_model.ckpt"])
  func brokenBytesAreNamed(_ prefix: String) throws {
    let slash = try #require(prefix.firstIndex(of: "/"))
    let (model, prefix) = ("micro/\(prefix[..<slash])", prefix[prefix.index(after: slash)...])
    let files = try Fixtures.files(model)
    // A flipped bit in each kind of file, then each file cut short.
    for (name, bytes) in files where name.hasPrefix(prefix) {
      let folder = try Fixtures.copy(model)
      var broken = bytes
      broken[40] ^= 1
      try folder.write(broken, to: name)
      let flipped = try message(of: folder)
      #expect(flipped.contains(name) && flipped.contains("checksum"), "\(flipped)")
      #expect(name.hasSuffix(".index") || flipped.contains("tensor \""), "\(flipped)")
      try folder.write(bytes.dropLast(9), to: name)
      let cut = try message(of: folder)
      #expect(cut.contains("cut short"), "\(cut)")
    }
  }

  @Test func missingShardIsNamed() throws {
    let folder = try Fixtures.copy("micro/original")
    try folder.remove("bert_model.ckpt.data-00001-of-00002")
    #expect(try message(of: folder).contains("data-00001-of-00002: cannot be opened"))
  }

  @Test func compressedTablesAreRefusedByName() throws {
    let folder = try Fixtures.copy("micro/original")
    var index = try #require(try Fixtures.files("micro/original")["bert_model.ckpt.index"])
    // The byte behind the last block, whose checksum the footer follows.
    index[index.count - 48 - 5] = 1
    try folder.write(index, to: "bert_model.ckpt.index")
    #expect(throws: CheckpointError.self) { try Checkpoint(folder: folder.path) }
    let error = try #require(throws: CheckpointError.self) {
      try Checkpoint(folder: folder.path, verifiesChecksums: false)
    }
    #expect(error.message.contains("Snappy"))
  }

  @Test func otherSavedModelsAreRefused() throws {
    let folder = try Fixtures.copy("micro/saved_model")
    var graph = try #require(try Fixtures.files("micro/saved_model")["saved_model.pb"])
    let name = Array("word_embeddings/embeddings".utf8)
    let place = try #require(graph.firstRange(of: name))
    graph[place.lowerBound] = UInt8(ascii: "W")
    try folder.write(graph, to: "saved_model.pb")
    let text = try message(of: folder)
    #expect(text.contains("\"word_embeddings/embeddings\" here and \"Word_embeddings"), "\(text)")
  }

  @Test(arguments: [
    ("word_embeddings/embeddings", "embeddings.word_embeddings.weight"),
    ("bert_encoder_v2_1/word_embeddings/embeddings", "embeddings.word_embeddings.weight"),
    (
      "bert_encoder_v2_1/transformer/layer_1/self_attention/attention_output/kernel",
      "encoder.layer.1.attention.output.dense.weight"
    ),
    ("bert/pooler/dense/bias", "pooler.dense.bias"),
    ("bert/cls/predictions/transform/dense/kernel", nil),
    ("transformer/self_attention/query/kernel", "encoder.layer.0.attention.self.query.weight"),
    ("transformer/self_attention/kernel", nil),
    ("encoder/embedding_projection/kernel", "embeddings_project.weight"),
    ("classifier/kernel", nil),
  ])
  func variablesAreKnownByTheirNames(_ name: String, _ canonical: String?) {
    #expect(TensorFlowVariable(name, shape: [2, 3, 4])?.name == canonical)
  }

  @Test func checksumsAreTheKnownOnes() {
    // RFC 3720, B.4; and the check value of every catalogue of CRCs.
    func check(_ checksum: Checksum, _ bytes: [UInt8]) -> UInt32 {
      unsafe bytes.withUnsafeBytes { unsafe checksum($0) }
    }
    #expect(check(.crc32c, Array(repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(check(.crc32c, Array(0..<32)) == 0x46dd_794e)
    #expect(check(.crc32c, Array("123456789".utf8)) == 0xe306_9283)
    #expect(check(.crc32, Array("123456789".utf8)) == 0xcbf4_3926)
    #expect(check(.crc32, []) == 0)
    let (head, tail) = (Array("1234".utf8), Array("56789".utf8))
    let whole = unsafe tail.withUnsafeBytes {
      unsafe Checksum.crc32c($0, after: check(.crc32c, head))
    }
    #expect(whole == 0xe306_9283)
  }
}
