/// How a text's token vectors become one. Padding never counts.
public enum Pooling: String, CaseIterable, Sendable {
  /// The first token's vector.
  case cls
  /// The largest of each component.
  case max
  case mean
  /// The sum, divided by the square root of the number of tokens.
  case meanSqrtLength = "mean_sqrt_len_tokens"
  /// The mean, the i-th token (from 1) weighted by i.
  case weightedMean = "weightedmean"
  case lastToken = "lasttoken"
}
