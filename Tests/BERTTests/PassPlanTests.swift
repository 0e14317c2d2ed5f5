import Checkpoints
import EncoderContract
import Testing

@testable import BERT

@Suite struct PassPlanTests {
  /// `create_position_ids_from_input_ids` of transformers' RoBERTa: padding tokens, wherever they
  /// stand, have the first position and do not count.
  @Test(arguments: [true, false])
  func positionsOfPadding(isRoBERTa: Bool) throws {
    var configuration = ModelConfiguration(
      vocabularySize: 9, hiddenSize: 4, blockCount: 1, headCount: 1, intermediateSize: 4)
    configuration.hasPaddingPosition = isRoBERTa
    configuration.padTokenID = 1
    let shape = ModelShape(
      configuration: configuration,
      info: ModelInfo(hiddenSize: 4, blockCount: 1, positionCount: 512), maxBatchRows: 64)
    var batch = PackedBatch()
    for ids in [[0, 5, 1, 6, 2, 1, 1], [0, 2]] as [[Int32]] {
      batch.append(
        TokenSequence(
          ids: ids, typeIDs: ids.map { _ in 0 }, attendedCount: ids.count == 7 ? 5 : 2),
        for: OutputSelection(blocks: BlockSet([0])))
    }
    let plan = try PassPlan(batch, shape: shape, threadCount: 1)
    #expect(
      plan.positions == (isRoBERTa ? [1, 2, 0, 3, 4, 0, 0, 1, 2] : [0, 1, 2, 3, 4, 5, 6, 0, 1]))
  }
}
