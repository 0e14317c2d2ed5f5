import Testing

@testable import Checkpoints

struct PyTorchTests {
  @Test(arguments: ["bin", "legacy", "sharded", "sharded_bin", "distilbert", "roberta"])
  func everyTensorIsThatOfTheWeights(_ name: String) throws {
    let expected = try Checkpoint(folder: Fixtures.folder("pytorch/weights"))
    let checkpoint = try Checkpoint(folder: Fixtures.folder("pytorch/\(name)"))
    var wanted = expected.tensorNames
    if ["bin", "distilbert", "roberta"].contains(name) {
      wanted.removeAll { $0.hasPrefix("pooler.") }
    }
    #expect(checkpoint.tensorNames == wanted)
    for tensorName in wanted {
      let tensor = try #require(checkpoint.tensor(tensorName))
      var other = try #require(expected.tensor(tensorName)).floats()
      if tensorName.contains("token_type") {
        if name == "distilbert" { other = other.map { _ in 0 } }
        if name == "roberta" { other.removeLast(other.count / 2) }
      }
      var values = try tensor.floats()
      if name == "roberta", tensorName.contains("position") {
        // Padding's row, which a BERT has not.
        values.removeFirst(tensor.shape[1])
      }
      #expect(values == other, "\(tensorName)")
      #expect(tensor.name == tensorName)
    }
    let configuration = checkpoint.configuration
    #expect(configuration.positionCount == 128)
    #expect(configuration.layerNormEpsilon == (name == "roberta" ? 1e-5 : 1e-12))
    #expect(configuration.padTokenID == (name == "roberta" ? 1 : 0))
    _ = try checkpoint.tensors(
      BERTShapes.required(configuration), optional: [BERTShapes.pooler(configuration)])
  }

  private func message(_ name: String, _ change: (TemporaryFolder) throws -> Void) throws -> String
  {
    let folder = try Fixtures.copy("micro/pytorch/\(name)")
    try change(folder)
    return try #require(throws: CheckpointError.self) { try Checkpoint(folder: folder.path) }
      .message
  }

  /// The bytes of a file with one text in place of another of any length.
  private func replacing(_ old: String, with new: String, in name: String) throws -> [UInt8] {
    var bytes = try #require(try Fixtures.files("micro/pytorch/legacy")[name])
    let range = try #require(bytes.firstRange(of: Array(old.utf8)))
    bytes.replaceSubrange(range, with: new.utf8)
    return bytes
  }

  /// A pickle names functions; none is ever called.
  @Test(arguments: [
    ("ctorch._utils\n_rebuild_tensor_v2\n", "cposix\nsystem\n", "posix.system"),
    ("ctorch\nFloatStorage\n", "ctorch\nload\n", "torch.load"),
    ("ccollections\nOrderedDict\n", "cbuiltins\neval\n", "builtins.eval"),
    ("ccollections\nOrderedDict\n", "i", "instruction 0x69"),
  ])
  func whatAPickleAsksForIsRefusedByName(_ old: String, _ new: String, _ expected: String) throws {
    let text = try message("legacy") { folder in
      try folder.write(
        replacing(old, with: new, in: "pytorch_model.bin"), to: "pytorch_model.bin")
    }
    #expect(text.contains(expected), "\(text)")
  }

  @Test func brokenBytesAreNamed() throws {
    let bytes = try #require(try Fixtures.files("micro/pytorch/bin")["pytorch_model.bin"])
    let cut = try message("bin") { try $0.write(bytes.dropLast(30), to: "pytorch_model.bin") }
    #expect(cut.contains("pytorch_model.bin") && cut.contains("cut short"), "\(cut)")
    let file = try ModelFile(path: Fixtures.folder("micro/pytorch/bin/pytorch_model.bin"))
    let members = try ZipArchive(file).members
    let storage = try #require(members.first { $0.key.hasSuffix("data/0") }).value.content
    let flipped = try message("bin") { folder in
      var broken = bytes
      broken[storage.lowerBound] ^= 1
      try folder.write(broken, to: "pytorch_model.bin")
    }
    #expect(flipped.contains("bert.embeddings.word_embeddings.weight"), "\(flipped)")
    #expect(flipped.contains("byte \(storage.lowerBound): the checksum"), "\(flipped)")
  }

  @Test func shardsMustBeThere() throws {
    let missing = try message("sharded") { try $0.remove("model-00002-of-00003.safetensors") }
    #expect(missing.contains("model-00002-of-00003.safetensors: cannot be opened"), "\(missing)")
    let outside = try message("sharded") {
      try $0.write(
        "{\"weight_map\": {\"x\": \"../model.safetensors\"}}", to: "model.safetensors.index.json")
    }
    #expect(outside.contains("a file of this folder for \"x\""), "\(outside)")
    let wrong = try message("sharded") {
      try $0.write(
        "{\"weight_map\": {\"x.weight\": \"model-00001-of-00003.safetensors\"}}",
        to: "model.safetensors.index.json")
    }
    #expect(wrong.contains("missing: x.weight in model-00001"), "\(wrong)")
  }
}
