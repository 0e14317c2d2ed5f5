import Checkpoints
import Testing

/// The default model, where it has been fetched.
@Suite(.enabled(if: ModelFolder.isPresent, "models/all-MiniLM-L6-v2 is not there"))
struct RealModelTests {
  @Test func configurationIsRead() throws {
    let configuration = try Checkpoint(folder: ModelFolder.path).configuration
    var expected = ModelConfiguration(
      vocabularySize: 30522, hiddenSize: 384, blockCount: 6, headCount: 12, intermediateSize: 1536)
    expected.layerNormEpsilon = 1e-12
    #expect(configuration == expected)
  }

  @Test func allTensorsFit() throws {
    let checkpoint = try Checkpoint(folder: ModelFolder.path)
    // position_ids is left out.
    #expect(checkpoint.tensorNames.count == 5 + 6 * 16 + 2)
    let tensors = try checkpoint.tensors(
      BERTShapes.required(checkpoint.configuration),
      optional: [BERTShapes.pooler(checkpoint.configuration)])
    #expect(tensors.count == 103)
    for tensor in tensors.values {
      // Real weights are not all alike; the pooler was never trained, its bias is zero.
      let values = try tensor.floats()
      let finite = values.allSatisfy(\.isFinite)
      let distinct = values.contains { $0 != values[0] }
      #expect(finite, "\(tensor.name)")
      #expect(distinct || tensor.name == "pooler.dense.bias", "\(tensor.name)")
    }
  }

  /// Read by Python's struct from the same file.
  @Test func valuesAreThoseOfTheFile() throws {
    let checkpoint = try Checkpoint(folder: ModelFolder.path)
    let embeddings = try #require(checkpoint.tensor("embeddings.word_embeddings.weight"))
    #expect(embeddings.shape == [30522, 384])
    let values = try embeddings.floats()
    let bits = [values[0], values[101 * 384 + 7], values[30522 * 384 - 1]].map(\.bitPattern)
    #expect(bits == [0xbca3_c000, 0x3b96_16a3, 0x3b95_c079])
  }
}
