import CKernels
import Checkpoints

/// A masked-language-model head as passes read it, in an arena of its own.
///
/// `@unchecked Sendable`: nothing changes after `init`, which ends when all threads have packed.
@safe
final class MaskedLMWeights: @unchecked Sendable {
  /// H to E, with the activation after it, and the norm; nil where the decoder reads hidden states.
  @unsafe let transform: (dense: LinearLayer, norm: LayerNorm)?
  /// E
  let size: Int
  /// E to V, in parts that a thread takes one by one: each of whole panels, so that their weights stay
  /// in the second-level cache while all rows are multiplied with them.
  @unsafe let parts: [LinearLayer]
  /// Outputs of each part but the last.
  let partSize: Int
  /// V
  let vocabularySize: Int

  var partCount: Int { unsafe parts.count }

  private let arena: FloatArena
  private let activations: Activations

  /// Where everything goes.
  struct Layout {
    fileprivate var transform: (dense: LayerPlace, norm: NormPlace)?
    fileprivate var decoder: LayerPlace
    fileprivate var floatCount: Int
    /// Floats that are needed besides while the head is packed: a decoder of its own.
    fileprivate var scratchCount: Int

    init(_ head: MaskedLMHead, _ kernels: Kernels) {
      var layout = ArenaLayout()
      let size = head.size
      decoder = LayerPlace(inputs: size, outputs: head.vocabularySize, in: &layout, kernels)
      if let inputs = head.transform?.dense.weights.shape[1] {
        transform = (
          LayerPlace(inputs: inputs, outputs: size, in: &layout, kernels),
          NormPlace(scale: layout.add(size), shift: layout.add(size), columns: size)
        )
      }
      floatCount = layout.count
      scratchCount =
        (head.decoder?.count ?? 0) + (head.transform?.dense.weights.count ?? 0)
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
    try Self.copy(head.bias, to: arena, at: layout.decoder.bias)
    if let transform = head.transform, let (place, norm) = layout.transform {
      let dense = try FloatArena(count: transform.dense.weights.count)
      try Self.copy(transform.dense.weights, to: dense, at: 0)
      unsafe kernels.set.pack(
        dense.floats(at: 0), place.outputs, place.inputs, 0,
        kernels.panelCount(outputs: place.outputs), arena.floats(at: place.weights))
      for (tensor, offset) in [
        (transform.dense.bias, place.bias), (transform.norm.scale, norm.scale),
        (transform.norm.shift, norm.shift),
      ] {
        try Self.copy(tensor, to: arena, at: offset)
      }
    }

    let activations = Activations(
      [ActivationNone, head.transform?.activation.kind ?? ActivationNone], kernels)
    self.activations = activations
    size = inputs
    unsafe transform = layout.transform.map { place in
      unsafe (
        place.dense.layer(in: arena, activations[1]),
        place.norm.layerNorm(in: arena, epsilon: epsilon)
      )
    }
    let panelSize = unsafe kernels.set.panelSize(inputs)
    let panelsOfPart = max(1, Self.partBytes / panelSize)
    partSize = panelsOfPart * kernels.panelColumns
    let none = unsafe activations[0]
    unsafe parts = stride(from: 0, to: panelCount, by: panelsOfPart).map { panel in
      let first = panel * kernels.panelColumns
      return unsafe LinearLayer(
        weights: UnsafeRawPointer(arena.floats(at: layout.decoder.weights)) + panel * panelSize,
        bias: arena.floats(at: layout.decoder.bias + first), inputs: inputs,
        outputs: min(panelsOfPart * kernels.panelColumns, outputs - first),
        activation: none, givesValues: false)
    }
  }

  /// Half of a usual second-level cache, beside the rows that are multiplied.
  private static let partBytes = 512 << 10

  private static func copy(
    _ tensor: Tensor, to arena: FloatArena, at offset: Int
  ) throws(BERTError) {
    do throws(CheckpointError) {
      try arena.copy(tensor, at: offset)
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
