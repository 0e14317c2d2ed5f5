import CKernels
import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension SentenceModules {
  /// The vector that the layers make of a pooled one.
  ///
  /// - Parameter normalizing: false to leave the last layer out if it is the one that normalises.
  func embedding(of pooled: [Float], normalizing: Bool) -> [Float] {
    var vector = pooled
    for (index, layer) in layers.enumerated() {
      switch layer {
      case .dense(let dense): vector = dense.apply(to: vector)
      case .layerNorm(let norm): vector = norm.apply(to: vector)
      case .normalize:
        guard normalizing || index < layers.count - 1 else { continue }
        unsafe vector.withUnsafeMutableBufferPointer { values in
          unsafe normalizeLength(values.count, values.baseAddress!)
        }
      }
    }
    return truncatedSize.map { Array(vector.prefix($0)) } ?? vector
  }
}

extension DenseLayer {
  /// - Parameter vector: [inputs]
  /// - Returns: [outputs], each sum made in float64.
  func apply(to vector: [Float]) -> [Float] {
    let products = product(weights, bias, vector).map { Float(activation.value(Double($0))) }
    switch residual {
    case .none: return products
    case .input: return zip(products, vector).map { $0 + $1 }
    case .projected(let matrix):
      let none = [Float](repeating: 0, count: outputs)
      return zip(products, product(matrix, none, vector)).map { $0 + $1 }
    }
  }

  private func product(_ matrix: [Float], _ bias: [Float], _ vector: [Float]) -> [Float] {
    unsafe [Float](unsafeUninitializedCapacity: outputs) { values, count in
      unsafe denseVector(inputs, outputs, matrix, bias, vector, values.baseAddress!)
      count = outputs
    }
  }
}

extension SentenceModules.LayerNorm {
  fileprivate func apply(to vector: [Float]) -> [Float] {
    let count = Double(vector.count)
    let mean = vector.reduce(0.0) { $0 + Double($1) } / count
    let variance = vector.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / count
    let scale = 1 / (variance + Self.epsilon).squareRoot()
    return vector.indices.map { index in
      let value = (Double(vector[index]) - mean) * scale
      return Float(value * Double(weights[index]) + Double(bias[index]))
    }
  }
}

/// The function, where `tanh` names the case.
private func hyperbolicTangent(_ x: Double) -> Double { tanh(x) }

extension DenseLayer.Activation {
  /// As `torch.nn` defines them.
  fileprivate func value(_ x: Double) -> Double {
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
