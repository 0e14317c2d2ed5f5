#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What makes probabilities of a text's logits.
public enum ScoreFunction: String, Sendable {
  /// Of each alone.
  case sigmoid
  /// Of all together: the sum is 1.
  case softmax

  /// - Parameter logits: [labels]
  /// - Returns: [labels], each from 0 to 1.
  public func probabilities(of logits: [Float]) -> [Float] {
    switch self {
    case .sigmoid: return logits.map { Float(1 / (1 + exp(-Double($0)))) }
    case .softmax:
      let largest = Double(logits.max() ?? 0)
      let powers = logits.map { exp(Double($0) - largest) }
      let sum = powers.reduce(0, +)
      return powers.map { Float($0 / sum) }
    }
  }
}
