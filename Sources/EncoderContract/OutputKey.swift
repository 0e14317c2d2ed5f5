/// A key of BERT's output map, as TensorFlow Hub's encoders name them.
///
/// Shapes for batch B, tokens S, hidden size H, blocks L.
public enum OutputKey: String, CaseIterable, Sendable {
  /// [B, H], the same entry as `pooledOutput`.
  case `default`
  /// [B, H], the text as a whole: tanh(W · hidden state of `[CLS]` + b).
  case pooledOutput = "pooled_output"
  /// [B, S, H], the last block's output.
  case sequenceOutput = "sequence_output"
  /// [L] of [B, S, H], every block's output; the embedding layer is not counted.
  case encoderOutputs = "encoder_outputs"
  /// [B, D], what sentence-transformers returns for a folder that has its modules.
  case sentenceEmbedding = "sentence_embedding"
}
