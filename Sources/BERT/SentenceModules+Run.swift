import CKernels
import Checkpoints

extension SentenceModules {
  /// The vector that the layers make of a pooled one.
  ///
  /// - Parameter normalizing: false to leave the last layer out if it is the one that normalises.
  func embedding(of pooled: [Float], normalizing: Bool) -> [Float] {
    var vector = pooled
    for (index, layer) in layers.enumerated() {
      guard normalizing || layer != .normalize || index < layers.count - 1 else { continue }
      vector = layer.apply(to: vector)
    }
    return truncatedSize.map { Array(vector.prefix($0)) } ?? vector
  }
}

extension SentenceModules.Layer {
  func apply(to vector: [Float]) -> [Float] {
    switch self {
    case .dense(let dense): return dense.apply(to: vector)
    case .layerNorm(let norm): return norm.apply(to: vector)
    case .normalize:
      var vector = vector
      unsafe vector.withUnsafeMutableBufferPointer { values in
        unsafe normalizeLength(values.count, values.baseAddress!)
      }
      return vector
    }
  }
}

extension DenseLayer {
  /// - Parameter vector: [inputs]
  /// - Returns: [outputs], each sum made in float64.
  func apply(to vector: [Float]) -> [Float] {
    let products = product(weights, bias, vector).map { Float(activation.value(Double($0))) }
    return residual == .none ? products : zip(products, residual(of: vector)).map { $0 + $1 }
  }

  /// What is added to the function's values.
  func residual(of vector: [Float]) -> [Float] {
    switch residual {
    case .none: Array(repeating: 0, count: outputs)
    case .input: vector
    case .projected(let matrix):
      product(matrix, Array(repeating: 0, count: outputs), vector)
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
    let scale = 1 / (variance + epsilon).squareRoot()
    return vector.indices.map { index in
      let value = (Double(vector[index]) - mean) * scale
      return Float(value * Double(weights[index]) + Double(bias[index]))
    }
  }
}
