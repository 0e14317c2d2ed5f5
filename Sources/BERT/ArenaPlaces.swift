import CKernels
import Checkpoints

/// Offsets of a packed layer in an arena.
struct LayerPlace {
  var weights: Int
  var bias: Int
  var inputs: Int
  var outputs: Int

  init(inputs: Int, outputs: Int, in layout: inout ArenaLayout, _ kernels: Kernels) {
    weights = layout.add(kernels.packedCount(outputs: outputs, inputs: inputs))
    bias = layout.add(outputs)
    self.inputs = inputs
    self.outputs = outputs
  }

  /// - Parameter activation: outlives the layer.
  func layer(
    in arena: FloatArena, _ activation: UnsafePointer<Activation>, givesValues: Bool = false
  ) -> LinearLayer {
    unsafe LinearLayer(
      weights: arena.floats(at: weights), bias: arena.floats(at: bias), inputs: inputs,
      outputs: outputs, activation: activation, givesValues: givesValues)
  }
}

/// Offsets of a norm's vectors in an arena.
struct NormPlace {
  var scale: Int
  var shift: Int
  var columns: Int

  func layerNorm(
    in arena: FloatArena, epsilon: Double, isRootMeanSquare: Bool = false
  ) -> LayerNorm {
    unsafe LayerNorm(
      scale: arena.floats(at: scale), shift: arena.floats(at: shift), epsilon: Float(epsilon),
      columns: columns, isRootMeanSquare: isRootMeanSquare)
  }
}

/// Activations as a kernel set computes them, for layers to point to.
///
/// `@unchecked Sendable`: nothing changes after `init`.
@safe
final class Activations: @unchecked Sendable {
  private let base: UnsafeMutablePointer<Activation>

  init(_ kinds: [ActivationKind], _ kernels: Kernels) {
    unsafe base = .allocate(capacity: kinds.count)
    for (index, kind) in kinds.enumerated() {
      unsafe (base + index).initialize(to: Activation())
      unsafe kernels.set.prepareActivation(kind, base + index)
    }
  }

  deinit { unsafe base.deallocate() }

  /// The one of the kind at an index.
  @unsafe subscript(index: Int) -> UnsafePointer<Activation> { unsafe UnsafePointer(base + index) }
}

extension FloatArena {
  /// Copies a tensor to an offset, where there is room for it.
  func copy(_ tensor: Tensor, at offset: Int) throws(CheckpointError) {
    // In bounds: the layout has a place for each of the tensor's values.
    let place = unsafe UnsafeMutableBufferPointer(start: floats(at: offset), count: tensor.count)
    var destination = unsafe place.mutableSpan
    try tensor.copyFloats(into: &destination)
  }
}
