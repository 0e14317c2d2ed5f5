/// A linear layer on one vector, a function of each component, and perhaps the input once more.
public struct DenseLayer: Equatable, Sendable {
  /// `torch.nn`'s functions of one number, with their defaults.
  public enum Activation: String, CaseIterable, Sendable {
    case identity = "Identity"
    case tanh = "Tanh"
    case relu = "ReLU"
    case relu6 = "ReLU6"
    case gelu = "GELU"
    case silu = "SiLU"
    case mish = "Mish"
    case sigmoid = "Sigmoid"
    case logSigmoid = "LogSigmoid"
    case hardSigmoid = "Hardsigmoid"
    case hardSwish = "Hardswish"
    case hardTanh = "Hardtanh"
    case tanhShrink = "Tanhshrink"
    case softSign = "Softsign"
    case softPlus = "Softplus"
    case softShrink = "Softshrink"
    case hardShrink = "Hardshrink"
    case elu = "ELU"
    case celu = "CELU"
    case selu = "SELU"
    case leakyReLU = "LeakyReLU"
  }

  /// What is added to the function's value.
  public enum Residual: Equatable, Sendable {
    case none
    /// The layer's input.
    case input
    /// The input times a matrix, [outputs, inputs].
    case projected([Float])
  }

  public var inputs: Int
  public var outputs: Int
  /// [outputs, inputs]
  public var weights: [Float]
  /// [outputs]
  public var bias: [Float]
  public var activation: Activation
  public var residual = Residual.none

  /// Bytes of the weights.
  var byteCount: Int {
    var count = weights.count + bias.count
    if case .projected(let matrix) = residual { count += matrix.count }
    return count * MemoryLayout<Float>.size
  }
}
