import CKernels
import Checkpoints
import EncoderContract

/// The layers that make a token's vector of its row, ready to compute: always in float32, as the layers
/// of other heads.
///
/// `@unchecked Sendable`: nothing changes after `init`.
@safe
final class TokenProjection: @unchecked Sendable {
  /// What is done to all rows, one after the other.
  @unsafe private enum Step {
    case product(LinearLayer, DenseLayer.Activation, Residual)
    case normalize
  }

  /// What is added to a product.
  @unsafe private enum Residual {
    case none
    case input
    case projected(LinearLayer)
  }

  /// Where everything goes, and how much memory it takes.
  struct Layout {
    /// Bytes of packed weights.
    let byteCount: Int
    /// Bytes that a thread takes between the layers.
    let scratchBytes: Int
    fileprivate let kernels: Kernels
    fileprivate let floatCount: Int
    /// By layer: a product, and that of its residual.
    fileprivate let places: [(product: LayerPlace, residual: LayerPlace?)?]

    /// - Parameter set: the kernels that encode.
    init(_ vectors: TokenVectors, hiddenSize: Int, _ set: Kernels) throws(BERTError) {
      let kernels = try set.float32()
      self.kernels = kernels
      var layout = ArenaLayout()
      var widest = hiddenSize
      var places: [(product: LayerPlace, residual: LayerPlace?)?] = []
      for layer in vectors.layers {
        guard case .dense(let dense) = layer else {
          places.append(nil)
          continue
        }
        widest = max(widest, dense.outputs)
        func place() -> LayerPlace {
          LayerPlace(inputs: dense.inputs, outputs: dense.outputs, in: &layout, kernels)
        }
        let product = place()
        let isProjected = if case .projected = dense.residual { true } else { false }
        places.append((product, isProjected ? place() : nil))
      }
      self.places = places
      floatCount = layout.count
      byteCount = layout.count * MemoryLayout<Float>.size
      // What a layer reads, what it writes, and a projected residual.
      scratchBytes = 3 * TokenProjection.rowsOfBlock * widest * MemoryLayout<Float>.size
    }
  }

  /// Rows that go through all layers together: what lies between the layers stays small.
  fileprivate static let rowsOfBlock = 64

  /// H and D.
  private let inputs: Int
  let outputs: Int

  private let kernels: Kernels
  private let arena: FloatArena
  private let activations: Activations
  @unsafe private let steps: [Step]

  /// - Parameter vectors: whose layers fit a model of this hidden size, and are dense or normalise.
  init(_ vectors: TokenVectors, hiddenSize: Int, _ layout: Layout) throws(BERTError) {
    guard let outputs = vectors.size(hiddenSize: hiddenSize) else {
      preconditionFailure("layers fit the model: ModelFiles checks it")
    }
    inputs = hiddenSize
    self.outputs = outputs
    let kernels = layout.kernels
    self.kernels = kernels
    let activations = Activations([ActivationNone], kernels)
    self.activations = activations
    let arena = try FloatArena(count: layout.floatCount)
    self.arena = arena
    func packed(_ weights: [Float], _ bias: [Float]?, _ place: LayerPlace) -> LinearLayer {
      unsafe kernels.set.pack(
        weights, place.outputs, place.inputs, 0, kernels.panelCount(outputs: place.outputs),
        arena.floats(at: place.weights))
      for column in 0..<place.outputs {
        unsafe arena.floats(at: place.bias)[column] = bias?[column] ?? 0
      }
      return unsafe place.layer(in: arena, activations[0])
    }
    var steps: [Step] = unsafe []
    for (layer, place) in zip(vectors.layers, layout.places) {
      guard case .dense(let dense) = layer, let place else {
        precondition(layer == .normalize, "token vectors have dense layers and norms of length")
        unsafe steps.append(.normalize)
        continue
      }
      var residual: Residual = unsafe .none
      switch (dense.residual, place.residual) {
      case (.projected(let matrix), let place?):
        unsafe residual = .projected(packed(matrix, nil, place))
      case (.input, _): unsafe residual = .input
      default: break
      }
      let product = unsafe packed(dense.weights, dense.bias, place.product)
      unsafe steps.append(.product(product, dense.activation, residual))
    }
    unsafe self.steps = steps
  }

  /// - Parameters:
  ///   - rows: how many.
  ///   - source: [rows, H], `stride` floats from row to row.
  /// - Returns: [rows, D]
  func vectors(rows: Int, of source: UnsafePointer<Float>, _ stride: Int) -> [Float] {
    var vectors: [Float] = []
    vectors.reserveCapacity(rows * outputs)
    for first in Swift.stride(from: 0, to: rows, by: Self.rowsOfBlock) {
      let count = min(Self.rowsOfBlock, rows - first)
      var values: [Float] = []
      values.reserveCapacity(count * inputs)
      for row in first..<first + count {
        unsafe values += UnsafeBufferPointer(start: source + row * stride, count: inputs)
      }
      for index in unsafe steps.indices {
        switch unsafe steps[index] {
        case .product(let layer, let activation, let residual):
          unsafe values = apply(layer, activation, residual, to: values, rows: count)
        case .normalize:
          let size = values.count / count
          unsafe values.withUnsafeMutableBufferPointer { values in
            for row in 0..<count {
              unsafe normalizeLength(size, values.baseAddress! + row * size)
            }
          }
        }
      }
      vectors += values
    }
    return vectors
  }

  private func apply(
    _ layer: LinearLayer, _ activation: DenseLayer.Activation, _ residual: Residual,
    to values: [Float], rows: Int
  ) -> [Float] {
    var results = unsafe multiply(layer, values, rows: rows, residual: nil)
    if activation != .identity {
      for place in results.indices {
        results[place] = Float(activation.value(Double(results[place])))
      }
    }
    switch unsafe residual {
    case .none: return results
    case .input:
      for place in results.indices { results[place] += values[place] }
      return results
    case .projected(let matrix):
      return unsafe multiply(matrix, values, rows: rows, residual: results)
    }
  }

  /// - Parameter residual: added; [rows, outputs].
  private func multiply(
    _ layer: LinearLayer, _ values: [Float], rows: Int, residual: [Float]?
  ) -> [Float] {
    var layer = unsafe layer
    let (inputs, outputs) = unsafe (layer.inputs, layer.outputs)
    precondition(values.count == rows * inputs, "layers fit one another")
    let size = MemoryLayout<Float>.size
    return unsafe [Float](unsafeUninitializedCapacity: rows * outputs) { results, count in
      func run(_ residual: UnsafePointer<Float>?) {
        unsafe kernels.set.product(
          &layer, 0, kernels.panelCount(outputs: outputs), rows, values, inputs * size, residual,
          outputs, results.baseAddress!, outputs * size)
      }
      if let residual {
        unsafe residual.withUnsafeBufferPointer { unsafe run($0.baseAddress) }
      } else {
        run(nil)
      }
      count = rows * outputs
    }
  }
}
