import Bulk
import EncoderContract
import Testing

@testable import RecordEncoders

@Suite struct ColumnTests {
  private struct None: Error {}

  /// - Parameter missing: keys that the model does not have.
  private static func source(without missing: Set<OutputKey> = []) -> EncodeSource {
    var info = ModelInfo(hiddenSize: 8, blockCount: 3, positionCount: 16)
    for key in [OutputKey.default, .pooledOutput] { info.set(key, width: 8) }
    info.set(.sentenceEmbedding, width: 5)
    info.set(.logits, width: 2)
    info.set(.mlmLogits, width: 99)
    for key in missing { info.set(key, width: nil, because: "it is out") }
    return EncodeSource(info: info, defaultMaxTokens: 16, description: []) { _, _ in throw None() }
  }

  @Test func eachKeyHasItsColumns() throws {
    let columns = try Self.source().columns(
      keys: "default,pooled_output,sequence_output,encoder_outputs,sentence_embedding,logits",
      layers: nil)
    #expect(columns.map(\.width) == [8, 8, 8, 8, 8, 8, 5, 2])
    #expect(columns.map(\.block) == [nil, nil, 2, 0, 1, 2, nil, nil])
    #expect(columns.map(\.hasRowPerToken) == [false, false, true, true, true, true, false, false])
  }

  @Test func layersCountFromEitherEnd() throws {
    let columns = try Self.source().columns(keys: "encoder_outputs", layers: "2,0,-1")
    #expect(columns.map(\.block) == [2, 0, 2])
  }

  @Test(arguments: ["", "3", "-4", "x", "0,", "99999999999999999999"])
  func noLayers(text: String) {
    #expect(throws: ColumnError.layers(blockCount: 3)) {
      try Self.source().columns(keys: "encoder_outputs", layers: text)
    }
  }

  @Test func whatTheModelDoesNotHave() {
    func error(_ source: EncodeSource, _ keys: String) -> ColumnError? {
      do throws(ColumnError) {
        _ = try source.columns(keys: keys, layers: nil)
        return nil
      } catch {
        return error
      }
    }
    #expect(error(Self.source(), "default,,") == .unknownKey(""))
    #expect(error(Self.source(), "other") == .unknownKey("other"))
    #expect(error(Self.source(), "mlm_logits") == .rowsOfVocabulary(.mlmLogits))
    for key in [OutputKey.default, .pooledOutput, .sentenceEmbedding, .logits] {
      #expect(
        error(Self.source(without: [key]), key.rawValue) == .absentKey(key, because: "it is out"))
    }
  }
}
