import Checkpoints
import EncoderContract

/// What a model can be asked for.
struct ModelShape {
  var configuration: ModelConfiguration
  var sentence: SentenceModules?
  var classifier: Classifier?
  /// What makes `colbert`.
  var projection: TokenProjection?
  var info: ModelInfo
  /// Rows of the largest batch.
  var maxBatchRows: Int

  /// Throws if the batch asks for what the model does not have.
  func check(_ batch: PackedBatch) throws(EncodeError) {
    guard batch.rowCount <= maxBatchRows else {
      throw .unsupported("a batch has at most \(maxBatchRows) tokens; this one \(batch.rowCount)")
    }
    let vocabulary = Int32(clamping: configuration.vocabularySize)
    guard let id = batch.ids.first(where: { !(0..<vocabulary).contains($0) }) else {
      let types = Int32(clamping: configuration.typeCount)
      guard let type = batch.typeIDs.first(where: { !(0..<types).contains($0) }) else {
        return try checkSequences(batch)
      }
      throw .unsupported("token types go from 0 to \(types - 1); there is \(type)")
    }
    throw .unsupported("token ids go from 0 to \(vocabulary - 1); there is \(id)")
  }

  /// Whether a sequence goes through the pooler.
  func needsPooler(_ selection: OutputSelection) -> Bool {
    selection.contains(.pooledOutput)
      || classifier?.input == .pooled
        && (selection.contains(.logits) || selection.contains(.probabilities))
  }

  /// Whether an entry is made of all rows of the last block's output.
  func needsAllRows(_ selection: OutputSelection) -> Bool {
    selection.contains(.sentenceEmbedding) && sentence?.poolings != [.cls]
      || [.tokenLogits, .mlmLogits, .sparseEmbedding, .colbert].contains(where: selection.contains)
      || classifier?.input == .meanOfTokens
        && [.logits, .probabilities].contains(where: selection.contains)
  }

  private func checkSequences(_ batch: PackedBatch) throws(EncodeError) {
    for index in 0..<batch.count {
      let size = batch.rows(of: index).count
      guard size <= configuration.positionCount else {
        throw .unsupported(
          "a sequence has at most \(configuration.positionCount) tokens; this one \(size)")
      }
      let selection = batch.selections[index]
      if let key = selection.entries.first(where: { !info.has($0) }) {
        throw .unsupported("there is no \(key.rawValue): \(info.absence(of: key))")
      }
      if let candidates = selection.predictions?.candidates {
        let tokens = 0..<Int32(clamping: configuration.vocabularySize)
        guard !candidates.isEmpty, candidates.allSatisfy(tokens.contains),
          zip(candidates, candidates.dropFirst()).allSatisfy(<)
        else {
          throw .unsupported("candidates are distinct ids of tokens, from 0 to \(tokens.count - 1)")
        }
      }
      if let highest = selection.blocks.highest, highest >= configuration.blockCount {
        throw .unsupported(
          "the model has \(configuration.blockCount) blocks; there is no block \(highest)")
      }
    }
  }
}
