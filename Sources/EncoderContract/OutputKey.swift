/// A key of BERT's output map, as TensorFlow Hub's encoders name them, and of what heads add to it.
///
/// Shapes for batch B, tokens S, hidden size H, blocks L, labels N, vocabulary V.
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
  /// [B, N], what a head for the classification of texts gives.
  case logits
  /// [B, N], the sigmoid or the softmax of `logits`.
  case probabilities
  /// [B, S, N], what a head for the classification of tokens gives.
  case tokenLogits = "token_logits"
  /// [B, S, V], what a masked-language-model head gives.
  case mlmLogits = "mlm_logits"
  /// [B, V], a weight for each token of the vocabulary, most of them 0 (SPLADE).
  case sparseEmbedding = "sparse_embedding"
  /// [B, S, D], a vector a token for late interaction (ColBERT); zeros for tokens that are not
  /// scored.
  case colbert

  /// What has a row of numbers in an entry.
  public enum Part: Sendable { case text, token, tokenOfBlock }

  public var part: Part {
    switch self {
    case .default, .pooledOutput, .sentenceEmbedding, .logits, .probabilities,
      .sparseEmbedding:
      .text
    case .sequenceOutput, .tokenLogits, .mlmLogits, .colbert: .token
    case .encoderOutputs: .tokenOfBlock
    }
  }

  /// The key that an entry with two names is kept under.
  public var canonical: OutputKey { self == .default ? .pooledOutput : self }
}
