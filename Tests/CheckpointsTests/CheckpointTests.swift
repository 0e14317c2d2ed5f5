import FoundationEssentials
import Testing

@testable import Checkpoints

struct CheckpointTests {
  /// A folder with float32 tensors of the given names and shapes, all zero.
  private func folder(_ tensors: [TensorSpecification], type: String = "F32") throws
    -> TemporaryFolder
  {
    let folder = try TemporaryFolder()
    try folder.write("{\(ModelConfigurationTests.minimal)}", to: "config.json")
    var members: [String] = []
    var end = 0
    for tensor in tensors {
      let size = tensor.shape.reduce(type == "F32" ? 4 : 1, *)
      members.append(
        """
        "\(tensor.name)":{"dtype":"\(type)","shape":\(tensor.shape),\
        "data_offsets":[\(end),\(end + size)]}
        """)
      end += size
    }
    let header = "{\(members.joined(separator: ","))}"
    try folder.write(
      safetensors(header, data: Array(repeating: 0, count: end)), to: "model.safetensors")
    return folder
  }

  private var configuration: ModelConfiguration {
    ModelConfiguration(
      vocabularySize: 100, hiddenSize: 8, blockCount: 2, headCount: 2, intermediateSize: 16)
  }

  @Test func namesAreMadeCanonical() throws {
    let required = BERTShapes.required(configuration)
    // As BertForPreTraining of the first years saved them: prefix, gamma and beta, a head.
    var stored = required.map { specification in
      let name = specification.name
        .replacing("LayerNorm.weight", with: "LayerNorm.gamma")
        .replacing("LayerNorm.bias", with: "LayerNorm.beta")
      return TensorSpecification("bert." + name, specification.shape)
    }
    stored += [
      .init("bert.embeddings.position_ids", [1, 512]), .init("cls.predictions.bias", [100]),
      .init("cls.predictions.transform.LayerNorm.gamma", [8]),
      .init("cls.seq_relationship.weight", [2, 8]), .init("classifier.weight", [2, 8]),
      .init("qa_outputs.bias", [2]),
    ]
    let folder = try folder(stored)
    let checkpoint = try Checkpoint(folder: folder.path)
    #expect(checkpoint.format == .huggingFace)
    #expect(checkpoint.tensorNames == required.map(\.name).sorted())
    let pooler = BERTShapes.pooler(configuration)
    let tensors = try checkpoint.tensors(required, optional: [pooler])
    #expect(tensors.count == required.count)
    #expect(tensors["pooler.dense.weight"] == nil)
    #expect(checkpoint.tensor("embeddings.LayerNorm.weight")?.shape == [8])
  }

  @Test func poolerIsTakenWhereItIs() throws {
    let required = BERTShapes.required(configuration)
    let pooler = BERTShapes.pooler(configuration)
    let folder = try folder(required + pooler)
    let tensors = try Checkpoint(folder: folder.path + "/").tensors(required, optional: [pooler])
    #expect(tensors.count == required.count + 2)
  }

  /// One error says everything that is wrong.
  @Test func allWrongTensorsAreNamed() throws {
    var stored = BERTShapes.required(configuration)
    stored.removeAll { $0.name.contains("layer.1.attention.self.key") }
    stored[0].shape = [99, 8]
    stored.append(.init("encoder.layer.2.output.dense.bias", [8]))
    stored.append(.init("pooler.dense.weight", [8, 8]))
    let folder = try folder(stored)
    let checkpoint = try Checkpoint(folder: folder.path)
    let error = try #require(throws: CheckpointError.self) {
      try checkpoint.tensors(
        BERTShapes.required(configuration), optional: [BERTShapes.pooler(configuration)])
    }
    #expect(
      error
        == .tensors(
          path: folder.path,
          missing: [
            "encoder.layer.1.attention.self.key.weight [8, 8]",
            "encoder.layer.1.attention.self.key.bias [8]", "pooler.dense.bias [8]",
          ],
          unusable: ["embeddings.word_embeddings.weight is [99, 8], must be [100, 8]"],
          unexpected: ["encoder.layer.2.output.dense.bias"]))
    for name in ["self.key.weight", "pooler.dense.bias", "[99, 8]", "layer.2.output"] {
      #expect(error.message.contains(name))
    }
  }

  @Test func integerWeightsAreRefused() throws {
    let required = BERTShapes.required(configuration)
    let folder = try folder(required, type: "I8")
    let checkpoint = try Checkpoint(folder: folder.path)
    let error = try #require(throws: CheckpointError.self) { try checkpoint.tensors(required) }
    guard case .tensors(_, [], let unusable, []) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(unusable.count == required.count)
    #expect(unusable[0].contains("is I8, must be F32"))
  }

  @Test func twoTensorsOfOneMeaningAreRefused() throws {
    let folder = try folder([
      .init("bert.encoder.x.weight", [1]), .init("bert.encoder.x.gamma", [1]),
    ])
    let error = try #require(throws: CheckpointError.self) { try Checkpoint(folder: folder.path) }
    #expect(error.message.contains("x.gamma"))
  }

  @Test func foldersThatAreNoModelsSaySo() throws {
    let folder = try TemporaryFolder()
    func message(_ path: String) throws -> String {
      try #require(throws: CheckpointError.self) { try Checkpoint(folder: path) }.message
    }
    #expect(try message(folder.path).contains("has none of model.safetensors"))
    #expect(try message(folder.path + "/absent").contains("there is no such folder"))
    #expect(try message("").contains("there is no such folder"))
    let file = try folder.write("x", to: "file")
    #expect(try message(file).contains("is not a folder"))
    try folder.write("x", to: "model.onnx")
    try folder.write("x", to: "tf_model.h5")
    #expect(try message(folder.path).contains("model.onnx: ONNX is not supported"))
    try folder.write("x", to: "model.safetensors")
    #expect(try message(folder.path).contains("config.json: cannot be opened: No such file"))
    try folder.write("{\(ModelConfigurationTests.minimal)}", to: "config.json")
    #expect(try message(folder.path).contains("no safetensors file"))
  }
}

struct ModelFileTests {
  @Test func readsAnyPart() throws {
    let folder = try TemporaryFolder()
    let content = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let file = try ModelFile(path: folder.write(content, to: "x"))
    #expect(file.size == 10_000)
    #expect(try file.bytes().bytes == content)
    #expect(try file.bytes(5_000..<5_003).bytes == Array(content[5_000..<5_003]))
    #expect(try file.bytes(3..<3).bytes == [])
    #expect(file.chunks(of: 5..<9_999, unit: 8) == [5..<9_999])
    let chunks = file.chunks(of: 1..<3 << 20, unit: 3)
    #expect(chunks.map(\.count) == [(1 << 20) - 1, (1 << 20) - 1, (1 << 20) - 1, 2])
  }

  @Test func refusesWhatIsNoFile() throws {
    let folder = try TemporaryFolder()
    func message(_ path: String) throws -> String {
      try #require(throws: CheckpointError.self) { try ModelFile(path: path) }.message
    }
    #expect(try message(folder.path).contains("is a directory"))
    #expect(try message(folder.path + "/absent").contains("No such file"))
    #expect(try message(folder.write("", to: "empty")).contains("is empty"))
    #expect(try message("/dev/null").contains("not a regular file"))
    #expect(try message(folder.path + "/empty/below").contains("Not a directory"))
  }
}
