#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension ModelConfiguration {
  /// The function between the two halves of the feed-forward layer.
  public enum Activation: String, CaseIterable, Sendable {
    /// x · Φ(x), with the error function.
    case geluErf = "gelu_erf"
    /// 0.5 · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))).
    case geluTanh = "gelu_tanh"
    case relu
    /// x / (1 + e⁻ˣ), also called swish.
    case silu
  }
}

extension ModelConfiguration.Activation {
  /// Hugging Face's names, the usual one first. Source: transformers `activations.py`.
  var names: [String] {
    switch self {
    case .geluErf: ["gelu", "gelu_python"]
    case .geluTanh:
      ["gelu_new", "gelu_fast", "gelu_accurate", "gelu_pytorch_tanh", "gelu_python_tanh"]
    case .relu: ["relu"]
    case .silu: ["silu", "swish"]
    }
  }

  /// The definition.
  func callAsFunction(_ x: Double) -> Double {
    switch self {
    case .geluErf: x / 2 * (1 + erf(x / 2.0.squareRoot()))
    case .geluTanh: x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .relu: max(x, 0)
    case .silu: x / (1 + exp(-x))
    }
  }
}

extension JSONFile {
  /// The function that a key names; nil if it names none.
  ///
  /// - Parameter others: names that the caller knows besides.
  func activation(
    _ key: String, or others: [String] = []
  ) throws(CheckpointError) -> ModelConfiguration.Activation? {
    typealias Activation = ModelConfiguration.Activation
    guard let name = try string(key) else { return nil }
    guard let activation = Activation.allCases.first(where: { $0.names.contains(name) }) else {
      let known = Activation.allCases.map { $0.names[0] } + others
      throw .unsupported(
        path: path,
        reason: "\(key) \"\(name.prefix(64))\" is not supported; "
          + known.dropLast().joined(separator: ", ") + " and \(known[known.count - 1]) are")
    }
    return activation
  }
}
