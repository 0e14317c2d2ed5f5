import CKernels
import Checkpoints
import EncoderContract

/// The layers that make a token's vector of its row, ready to compute: always in float32, as the layers
/// of other heads.
///
/// `@unchecked Sendable`: nothing changes after `init`.
@safe
final class TokenProjection: @unchecked Sendable {
  /// H and D.
  private let inputs: Int
  let outputs: Int

  private let layers: [SentenceModules.Layer]
  private let kernels: Kernels
  private let arena: FloatArena
  private let activations: Activations
  /// By layer; nil for one without a product.
  @unsafe private let products: [LinearLayer?]
  /// Bytes of packed weights.
  let byteCount: Int

  /// - Parameter set: the one that encodes.
  init(_ vectors: TokenVectors, hiddenSize: Int, set: Kernels) throws(BERTError) {
    layers = vectors.layers
    inputs = hiddenSize
    outputs = vectors.size(hiddenSize: hiddenSize) ?? 0
    kernels = try set.float32()
    activations = Activations([ActivationNone], kernels)
    var layout = ArenaLayout()
    var places: [LayerPlace?] = []
    for layer in layers {
      guard case .dense(let dense) = layer else {
        places.append(nil)
        continue
      }
      places.append(
        LayerPlace(inputs: dense.inputs, outputs: dense.outputs, in: &layout, kernels))
    }
    byteCount = layout.count * MemoryLayout<Float>.size
    let arena = try FloatArena(count: layout.count)
    self.arena = arena
    var products: [LinearLayer?] = unsafe []
    for (layer, place) in zip(layers, places) {
      guard case .dense(let dense) = layer, let place else {
        unsafe products.append(nil)
        continue
      }
      unsafe kernels.set.pack(
        dense.weights, dense.outputs, dense.inputs, 0,
        kernels.panelCount(outputs: dense.outputs), arena.floats(at: place.weights))
      for (index, value) in dense.bias.enumerated() {
        unsafe arena.floats(at: place.bias)[index] = value
      }
      unsafe products.append(place.layer(in: arena, activations[0]))
    }
    unsafe self.products = products
  }

  /// - Parameters:
  ///   - rows: how many.
  ///   - source: [rows, H], `stride` floats from row to row.
  /// - Returns: [rows, D]
  func vectors(rows: Int, of source: UnsafePointer<Float>, _ stride: Int) -> [Float] {
    var values: [Float] = []
    values.reserveCapacity(rows * inputs)
    for row in 0..<rows {
      unsafe values += UnsafeBufferPointer(start: source + row * stride, count: inputs)
    }
    for (index, layer) in layers.enumerated() {
      switch layer {
      case .dense(let dense): values = multiply(rows, values, dense, index)
      case .layerNorm, .normalize:
        let size = values.count / max(rows, 1)
        values = (0..<rows).flatMap { row in
          layer.apply(to: Array(values[row * size..<(row + 1) * size]))
        }
      }
    }
    return values
  }

  /// - Returns: [rows, outputs of the layer]
  private func multiply(
    _ rows: Int, _ values: [Float], _ dense: DenseLayer, _ index: Int
  ) -> [Float] {
    guard var product = unsafe products[index] else { return values }
    precondition(values.count == rows * dense.inputs, "layers fit one another")
    let size = MemoryLayout<Float>.size
    var results = unsafe [Float](unsafeUninitializedCapacity: rows * dense.outputs) {
      results, count in
      unsafe kernels.set.product(
        &product, 0, kernels.panelCount(outputs: dense.outputs), rows, values, dense.inputs * size,
        nil, 0, results.baseAddress!, dense.outputs * size)
      count = rows * dense.outputs
    }
    if dense.activation != .identity {
      for place in results.indices {
        results[place] = Float(dense.activation.value(Double(results[place])))
      }
    }
    guard dense.residual != .none else { return results }
    for row in 0..<rows {
      let own = dense.residual(of: Array(values[row * dense.inputs..<(row + 1) * dense.inputs]))
      for (column, value) in own.enumerated() { results[row * dense.outputs + column] += value }
    }
    return results
  }
}
