import CKernels
import Checkpoints

/// Relative embeddings through a block's key or query layer, which attention multiplies with queries or with
/// keys. They depend on no text, and are computed once, in float32 at every precision.
struct RelativeProjection: Sendable {
  /// [rows, H] and [H] each
  let table: Tensor
  let norm: (scale: Tensor, shift: Tensor)?
  /// [H, H] and [H]
  let layer: (weights: Tensor, bias: Tensor)
  let epsilon: Double
  /// Whose values the result is, and those of the same set at float32, which make it.
  let kernels, floatKernels: Kernels
  /// Of the result, in the arena of weights.
  let offset: Int

  private var rowCount: Int { table.shape[0] }
  private var hiddenSize: Int { table.shape[1] }

  /// Bytes of a row of values.
  static func stride(hiddenSize: Int, _ kernels: Kernels) -> Int {
    ArenaLayout.stride(columns: (hiddenSize * kernels.valueSize + 3) / 4) * MemoryLayout<Float>.size
  }

  /// Parts of the scratch memory.
  private struct Layout {
    let table, weights, result, count: Int
    let packed: LayerPlace
    let norm: NormPlace

    init(_ projection: RelativeProjection) {
      var layout = ArenaLayout()
      let size = projection.hiddenSize
      table = layout.add(projection.table.count)
      weights = layout.add(size * size)
      packed = LayerPlace(inputs: size, outputs: size, in: &layout, projection.floatKernels)
      norm = NormPlace(scale: layout.add(size), shift: layout.add(size), columns: size)
      result = layout.add(projection.table.count)
      count = layout.count
    }
  }

  var scratchCount: Int { Layout(self).count }

  func run(scratch: FloatArena, into arena: FloatArena) throws(CheckpointError) {
    let place = Layout(self)
    let size = hiddenSize
    let bytes = size * MemoryLayout<Float>.size
    let rows = unsafe scratch.floats(at: place.table)
    try scratch.copy(table, at: place.table)
    if let norm {
      try scratch.copy(norm.scale, at: place.norm.scale)
      try scratch.copy(norm.shift, at: place.norm.shift)
      var norm = unsafe place.norm.layerNorm(in: scratch, epsilon: epsilon)
      unsafe floatKernels.set.layerNorm(&norm, rowCount, rows, size, rows, size, rows, bytes)
    }
    try scratch.copy(layer.weights, at: place.weights)
    try scratch.copy(layer.bias, at: place.packed.bias)
    let panels = floatKernels.panelCount(outputs: size)
    unsafe floatKernels.set.pack(
      scratch.floats(at: place.weights), size, size, 0, panels,
      scratch.floats(at: place.packed.weights))
    let activations = Activations([ActivationNone], floatKernels)
    let result = unsafe scratch.floats(at: place.result)
    var linear = unsafe place.packed.layer(in: scratch, activations[0])
    unsafe floatKernels.set.product(
      &linear, 0, panels, rowCount, rows, bytes, nil, 0, result, bytes)
    withExtendedLifetime(activations) {}
    for row in 0..<rowCount {
      let to =
        unsafe UnsafeMutableRawPointer(arena.floats(at: offset))
        + row * Self.stride(hiddenSize: size, kernels)
      for column in 0..<size {
        unsafe kernels.setValue(to, column, result[row * size + column])
      }
    }
  }
}
