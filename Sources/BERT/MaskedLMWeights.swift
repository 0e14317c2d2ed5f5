import CKernels
import Checkpoints

/// A masked-language-model head as passes read it, in an arena of its own.
///
/// `@unchecked Sendable`: nothing changes after `init`, which ends when all threads have packed.
@safe
final class MaskedLMWeights: @unchecked Sendable {
  /// H to E, with the activation after it.
  @unsafe let dense: LinearLayer
  @unsafe let norm: LayerNorm
  /// E to V, in parts that a thread takes one by one: each of whole panels, so that their weights stay
  /// in the second-level cache while all rows are multiplied with them.
  @unsafe let parts: [LinearLayer]
  /// Outputs of each part but the last.
  let partSize: Int
  /// V
  let vocabularySize: Int

  var partCount: Int { unsafe parts.count }

  private let arena: FloatArena
  private let activations: UnsafeMutablePointer<Activation>

  deinit { unsafe activations.deallocate() }

  /// Where everything goes.
  struct Layout {
    fileprivate var dense: LayerPlace
    fileprivate var scale, shift: Int
    fileprivate var decoder: LayerPlace
    fileprivate var floatCount: Int
    /// Floats that are needed besides while the head is packed: a decoder of its own.
    fileprivate var scratchCount: Int

    init(_ head: MaskedLMHead, _ kernels: Kernels) {
      var layout = ArenaLayout()
      func layer(inputs: Int, outputs: Int) -> LayerPlace {
        LayerPlace(
          weights: layout.add(kernels.packedCount(outputs: outputs, inputs: inputs)),
          bias: layout.add(outputs), inputs: inputs, outputs: outputs)
      }
      dense = layer(inputs: head.dense.weights.shape[1], outputs: head.size)
      decoder = layer(inputs: head.size, outputs: head.vocabularySize)
      (scale, shift) = (layout.add(head.size), layout.add(head.size))
      floatCount = layout.count
      scratchCount = (head.decoder?.count ?? 0) + head.dense.weights.count
    }

    /// Bytes of memory of the head, and those that packing takes besides.
    var byteCount: Int { floatCount * MemoryLayout<Float>.size }
    var scratchBytes: Int { scratchCount * MemoryLayout<Float>.size }
  }

  /// - Parameter words: [V, E], the word embeddings.
  init(
    _ head: MaskedLMHead, _ layout: Layout, words: UnsafePointer<Float>, epsilon: Double,
    kernels: Kernels, threads: ComputeThreads
  ) throws(BERTError) {
    vocabularySize = head.vocabularySize
    let arena = try FloatArena(count: layout.floatCount)
    self.arena = arena
    // The large product first, from where its weights are already: the table of words.
    let (inputs, outputs) = (layout.decoder.inputs, layout.decoder.outputs)
    let own = try head.decoder.map { decoder throws(BERTError) in
      let scratch = try FloatArena(count: decoder.count)
      try Self.copy(decoder, to: scratch, at: 0)
      return scratch
    }
    let source = unsafe Weights(own.map { unsafe UnsafePointer($0.floats(at: 0)) } ?? words)
    let panelCount = kernels.panelCount(outputs: outputs)
    let threadCount = threads.count
    threads.runOnAll { rank in
      unsafe kernels.set.pack(
        source.floats, outputs, inputs, panelCount * rank / threadCount,
        panelCount * (rank + 1) / threadCount, arena.floats(at: layout.decoder.weights))
    }
    withExtendedLifetime(own) {}
    let dense = try FloatArena(count: head.dense.weights.count)
    try Self.copy(head.dense.weights, to: dense, at: 0)
    unsafe kernels.set.pack(
      dense.floats(at: 0), layout.dense.outputs, layout.dense.inputs, 0,
      kernels.panelCount(outputs: layout.dense.outputs), arena.floats(at: layout.dense.weights))
    for (tensor, offset) in [
      (head.dense.bias, layout.dense.bias), (head.norm.scale, layout.scale),
      (head.norm.shift, layout.shift), (head.bias, layout.decoder.bias),
    ] {
      try Self.copy(tensor, to: arena, at: offset)
    }

    let kinds = [ActivationNone, head.activation.kind]
    let activations = UnsafeMutablePointer<Activation>.allocate(capacity: kinds.count)
    for (index, kind) in kinds.enumerated() {
      unsafe (activations + index).initialize(to: Activation())
      unsafe kernels.set.prepareActivation(kind, activations + index)
    }
    unsafe self.activations = activations
    unsafe self.dense = LinearLayer(
      weights: arena.floats(at: layout.dense.weights), bias: arena.floats(at: layout.dense.bias),
      inputs: layout.dense.inputs, outputs: layout.dense.outputs, activation: activations + 1,
      givesValues: false)
    unsafe norm = LayerNorm(
      scale: arena.floats(at: layout.scale), shift: arena.floats(at: layout.shift),
      epsilon: Float(epsilon), columns: head.size, isRootMeanSquare: false)
    let panelSize = unsafe kernels.set.panelSize(inputs)
    let panelsOfPart = max(1, Self.partBytes / panelSize)
    partSize = panelsOfPart * kernels.panelColumns
    unsafe parts = stride(from: 0, to: panelCount, by: panelsOfPart).map { panel in
      let first = panel * kernels.panelColumns
      return unsafe LinearLayer(
        weights: UnsafeRawPointer(arena.floats(at: layout.decoder.weights)) + panel * panelSize,
        bias: arena.floats(at: layout.decoder.bias + first), inputs: inputs,
        outputs: min(panelsOfPart * kernels.panelColumns, outputs - first),
        activation: activations, givesValues: false)
    }
  }

  /// Half of a usual second-level cache, beside the rows that are multiplied.
  private static let partBytes = 512 << 10

  private static func copy(
    _ tensor: Tensor, to arena: FloatArena, at offset: Int
  ) throws(BERTError) {
    do throws(CheckpointError) {
      // In bounds: the layout has a place for each of the tensor's values.
      let place = unsafe UnsafeMutableBufferPointer(
        start: arena.floats(at: offset), count: tensor.count)
      var destination = unsafe place.mutableSpan
      try tensor.copyFloats(into: &destination)
    } catch {
      throw .checkpoint(error)
    }
  }

  /// `@unchecked Sendable`: nothing changes after `init`; threads read them while the head's waits.
  @safe
  private struct Weights: @unchecked Sendable {
    let floats: UnsafePointer<Float>

    init(_ floats: UnsafePointer<Float>) { unsafe self.floats = floats }
  }
}
