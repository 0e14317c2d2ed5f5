import Bulk
import EncoderContract
import Testing

@testable import RecordEncoders

@Suite struct ColumnTests {
  private struct None: Error {}

  private static func source(
    hasPooler: Bool = true, absentKeys: Set<OutputKey> = [], sentenceSize: Int? = 5
  ) -> EncodeSource {
    EncodeSource(
      hiddenSize: 8, blockCount: 3, positionCount: 16, hasPooler: hasPooler, absentKeys: absentKeys,
      sentenceSize: sentenceSize, defaultMaxTokens: 16, description: []
    ) { _, _ in throw None() }
  }

  @Test func eachKeyHasItsColumns() throws {
    let columns = try Self.source().columns(
      keys: "default,pooled_output,sequence_output,encoder_outputs,sentence_embedding", layers: nil)
    #expect(columns.map(\.width) == [8, 8, 8, 8, 8, 8, 5])
    #expect(columns.map(\.block) == [nil, nil, 2, 0, 1, 2, nil])
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
    #expect(error(Self.source(hasPooler: false), "default") == .noPooler(key: "default"))
    #expect(
      error(Self.source(absentKeys: [.pooledOutput]), "pooled_output")
        == .absentKey("pooled_output"))
    #expect(error(Self.source(sentenceSize: nil), "sentence_embedding") == .noSentenceModules)
  }
}
