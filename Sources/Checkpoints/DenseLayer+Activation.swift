#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The function, where `tanh` names the case.
private func hyperbolicTangent(_ x: Double) -> Double { tanh(x) }

extension DenseLayer.Activation {
  /// As `torch.nn` defines them.
  package func value(_ x: Double) -> Double {
    switch self {
    case .identity: x
    case .tanh: hyperbolicTangent(x)
    case .relu: max(x, 0)
    case .relu6: min(max(x, 0), 6)
    case .gelu: 0.5 * x * (1 + erf(x * 0.5.squareRoot()))
    case .silu: x * Self.sigmoid(x)
    case .mish: x * hyperbolicTangent(Self.softPlus(x))
    case .sigmoid: Self.sigmoid(x)
    case .logSigmoid: -Self.softPlus(-x)
    case .hardSigmoid: min(max(x + 3, 0), 6) / 6
    case .hardSwish: x * min(max(x + 3, 0), 6) / 6
    case .hardTanh: min(max(x, -1), 1)
    case .tanhShrink: x - hyperbolicTangent(x)
    case .softSign: x / (1 + abs(x))
    case .softPlus: Self.softPlus(x)
    case .softShrink: x > 0.5 ? x - 0.5 : x < -0.5 ? x + 0.5 : 0
    case .hardShrink: abs(x) > 0.5 ? x : 0
    case .elu, .celu: x > 0 ? x : expm1(x)
    case .selu:
      1.0507009873554804934193349852946 * (x > 0 ? x : 1.6732632423543772848170429916717 * expm1(x))
    case .leakyReLU: x > 0 ? x : 0.01 * x
    }
  }

  private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  private static func softPlus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
}
