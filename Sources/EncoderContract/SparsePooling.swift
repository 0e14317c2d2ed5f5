/// How the logits of a text's tokens become one weight for each token of the vocabulary.
///
/// Source: sentence-transformers 6.2, `SpladePooling`.
public struct SparsePooling: Equatable, Sendable {
  /// What is taken of the weights of all attended tokens.
  public enum Strategy: String, CaseIterable, Sendable { case max, sum }

  /// What makes a weight of a logit.
  public enum Activation: String, CaseIterable, Sendable {
    /// log(1 + relu(x))
    case relu
    /// log(1 + log(1 + relu(x)))
    case log1pReLU = "log1p_relu"
  }

  public var strategy: Strategy
  public var activation: Activation

  /// Those of SPLADE v2 unless told otherwise.
  public init(strategy: Strategy = .max, activation: Activation = .relu) {
    self.strategy = strategy
    self.activation = activation
  }
}
