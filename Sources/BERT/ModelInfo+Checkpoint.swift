import Checkpoints
import EncoderContract

extension ModelInfo {
  /// What an encoder of a folder gives.
  init(_ checkpoint: Checkpoint, _ sentence: SentenceModules?, hasPooler: Bool) {
    let configuration = checkpoint.configuration
    let hidden = configuration.hiddenSize
    self.init(
      hiddenSize: hidden, blockCount: configuration.blockCount,
      positionCount: configuration.positionCount, typeCount: configuration.typeCount)
    for key in [OutputKey.default, .pooledOutput] {
      set(key, width: hasPooler ? hidden : nil, because: "the model has no pooler")
    }
    // A SavedModel has the keys that its signature names, although more could be computed.
    if let exported = checkpoint.keys {
      for key in OutputKey.allCases where key != .sentenceEmbedding && has(key) {
        guard !exported.contains(key.rawValue) else { continue }
        set(key, width: nil, because: "the model's export does not have it")
      }
    }
    set(
      .sentenceEmbedding, width: sentence?.embeddingSize(hiddenSize: hidden),
      because: "the folder has no sentence-transformers modules")
    let head = checkpoint.head.head
    labels = head?.labels ?? []
    scoreFunction = head?.scoreFunction
    let isOfTokens = head?.input == .eachToken
    let textAbsence =
      isOfTokens
      ? "the model's head classifies tokens: ask for token_logits" : checkpoint.head.absence
    set(.logits, width: isOfTokens ? nil : head?.labels.count, because: textAbsence)
    set(
      .probabilities, width: isOfTokens || head?.scoreFunction == nil ? nil : head?.labels.count,
      because: isOfTokens || head == nil
        ? textAbsence : "the model's problem_type is regression: ask for logits")
    set(
      .tokenLogits, width: isOfTokens ? head?.labels.count : nil,
      because: head == nil
        ? checkpoint.head.absence : "the model's head classifies texts: ask for logits")
    let vocabularySize = checkpoint.maskedLM.head?.vocabularySize
    set(.mlmLogits, width: vocabularySize, because: checkpoint.maskedLM.absence)
    let hasWeights = sentence?.tokenWeights != nil
    set(
      .sparseEmbedding,
      width: hasWeights
        ? configuration.vocabularySize : sentence?.sparse == nil ? nil : vocabularySize,
      because: vocabularySize == nil
        ? checkpoint.maskedLM.absence
        : "the folder has no SpladePooling module; the setting pooling=splade makes one without")
    set(
      .colbert, width: sentence?.tokenVectors?.size(hiddenSize: hidden),
      because: "the folder has neither modules of a MultiVectorEncoder, PyLate or ColBERT nor "
        + "colbert_linear.pt")
  }
}
