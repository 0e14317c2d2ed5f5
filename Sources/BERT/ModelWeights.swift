import CKernels
import Checkpoints

/// A linear layer and the layer norm after it, for passes to read.
@unsafe
struct BlockWeights {
  /// Q, K and V side by side: [3H] outputs.
  let queryKeyValue: LinearLayer
  let attentionOutput: LinearLayer
  let attentionNorm: LayerNorm
  let intermediate: LinearLayer
  let output: LinearLayer
  let outputNorm: LayerNorm
}

/// The model as passes read it, all in one arena: linear layers packed for the chosen kernels, the
/// rest as it is. No pass reads a file.
///
/// `@unchecked Sendable`: nothing changes after `init`, which ends when all threads have packed.
@safe
final class ModelWeights: @unchecked Sendable {
  let configuration: ModelConfiguration
  @unsafe let blocks: [BlockWeights]
  @unsafe let pooler: LinearLayer?
  @unsafe let embeddingNorm: LayerNorm
  /// [H, E]; nil where the embeddings are the hidden states.
  @unsafe let projection: LinearLayer?
  /// [A, 2 · positions - 1], from the column of distance 0; nil without a bias.
  @unsafe let scoreBias: Matrix?
  /// [V, E], [positions, E], [types, E]
  @unsafe let wordTable, positionTable, typeTable: UnsafePointer<Float>
  /// Bytes of packed weights and embedding tables.
  let byteCount: Int

  private let arena: FloatArena
  private let activations: UnsafeMutablePointer<Activation>

  deinit { unsafe activations.deallocate() }

  /// - Parameters:
  ///   - besides: bytes of what else counts towards `limit`. Touched only when packing has ended.
  ///   - limit: bytes; over it nothing is packed.
  init(
    _ checkpoint: Checkpoint, kernels: Kernels, threads: ComputeThreads, besides: Int, limit: Int
  ) throws(BERTError) {
    let configuration = checkpoint.configuration
    self.configuration = configuration
    let names = TensorNames(configuration)
    let tensors: [String: Tensor]
    do {
      tensors = try checkpoint.tensors(names.required, optional: [names.pooler])
    } catch {
      throw .checkpoint(error)
    }

    // Where everything goes.
    var layout = ArenaLayout()
    var jobs: [PackingJob] = []
    func vector(_ name: String) -> Int {
      let offset = layout.add(tensors[name]!.count)
      jobs.append(.copy(tensors[name]!, offset))
      return offset
    }
    func layer(_ prefixes: [String]) -> LayerPlace {
      let weights = prefixes.map { tensors["\($0).weight"]! }
      let biases = prefixes.map { tensors["\($0).bias"]! }
      let inputs = weights[0].shape[1]
      let outputs = weights.reduce(0) { $0 + $1.shape[0] }
      let place = LayerPlace(
        weights: layout.add(kernels.packedCount(outputs: outputs, inputs: inputs)),
        bias: layout.add(outputs), inputs: inputs, outputs: outputs)
      jobs.append(.pack(weights, place))
      var offset = place.bias
      for bias in biases {
        jobs.append(.copy(bias, offset))
        offset += bias.count
      }
      return place
    }
    // The largest first, so that the threads end at the same time.
    let tablePlaces = TensorNames.tables.map(vector)
    let setPlaces = (0..<configuration.blockSetCount).map { index in
      let block = "encoder.layer.\(index)"
      return (
        layer(["query", "key", "value"].map { "\(block).attention.self.\($0)" }),
        layer(["\(block).attention.output.dense"]),
        vector("\(block).attention.output.LayerNorm.weight"),
        vector("\(block).attention.output.LayerNorm.bias"),
        layer(["\(block).intermediate.dense"]), layer(["\(block).output.dense"]),
        vector("\(block).output.LayerNorm.weight"), vector("\(block).output.LayerNorm.bias")
      )
    }
    let hasPooler = tensors[names.pooler[0].name] != nil
    let poolerPlace = hasPooler ? layer(["pooler.dense"]) : nil
    let projectionPlace = configuration.projectedSize.map { _ in layer([TensorNames.projection]) }
    let normPlace = (
      vector("embeddings.LayerNorm.weight"), vector("embeddings.LayerNorm.bias")
    )
    let distances = 2 * configuration.positionCount - 1
    let biasPlace = tensors[TensorNames.relativeBias].map { table in
      let offset = layout.add(configuration.headCount * distances)
      jobs.append(.spread(table, configuration, offset))
      return offset
    }
    let arena = try FloatArena(count: layout.count)
    byteCount = arena.size
    let scratchCount = jobs.map(\.scratchCount).max() ?? 0
    let scratchSize = threads.count * scratchCount * MemoryLayout<Float>.size
    let needed = byteCount + max(besides, scratchSize)
    guard needed <= limit else { throw .memoryLimit(needed: needed, limit: limit) }
    try PackingJob.run(
      jobs, scratchCount: scratchCount, kernels: kernels, into: arena, threads: threads)

    // One activation of each kind in use.
    let kinds = [ActivationNone, configuration.activation.kind, ActivationTanh]
    let activations = UnsafeMutablePointer<Activation>.allocate(capacity: kinds.count)
    for (index, kind) in kinds.enumerated() {
      unsafe (activations + index).initialize(to: Activation())
      unsafe kernels.set.prepareActivation(kind, activations + index)
    }

    func linear(
      _ place: LayerPlace, _ activation: Int = 0, givesValues: Bool = false
    ) -> LinearLayer {
      unsafe LinearLayer(
        weights: arena.floats(at: place.weights), bias: arena.floats(at: place.bias),
        inputs: place.inputs, outputs: place.outputs, activation: activations + activation,
        givesValues: givesValues)
    }
    func norm(_ scale: Int, _ shift: Int, _ columns: Int) -> LayerNorm {
      unsafe LayerNorm(
        scale: arena.floats(at: scale), shift: arena.floats(at: shift),
        epsilon: Float(configuration.layerNormEpsilon), columns: columns)
    }
    let hiddenSize = configuration.hiddenSize
    unsafe blocks = (0..<configuration.blockCount).map { index in
      let place = setPlaces[configuration.blockSet(of: index)]
      return unsafe BlockWeights(
        queryKeyValue: linear(place.0, givesValues: true), attentionOutput: linear(place.1),
        attentionNorm: norm(place.2, place.3, hiddenSize),
        intermediate: linear(place.4, 1, givesValues: true), output: linear(place.5),
        outputNorm: norm(place.6, place.7, hiddenSize))
    }
    unsafe pooler = poolerPlace.map { unsafe linear($0, 2) }
    unsafe projection = projectionPlace.map { unsafe linear($0) }
    unsafe scoreBias = biasPlace.map { place in
      unsafe Matrix(
        base: arena.floats(at: place + configuration.positionCount - 1), stride: distances)
    }
    unsafe embeddingNorm = norm(normPlace.0, normPlace.1, configuration.embeddingSize)
    unsafe wordTable = UnsafePointer(arena.floats(at: tablePlaces[0]))
    unsafe positionTable = UnsafePointer(arena.floats(at: tablePlaces[1]))
    unsafe typeTable = UnsafePointer(arena.floats(at: tablePlaces[2]))
    self.arena = arena
    unsafe self.activations = activations
  }
}

/// Offsets of a packed layer in the arena.
struct LayerPlace {
  var weights: Int
  var bias: Int
  var inputs: Int
  var outputs: Int
}

extension ModelConfiguration.Activation {
  var kind: ActivationKind {
    switch self {
    case .geluErf: ActivationGELUErf
    case .geluTanh: ActivationGELUTanh
    case .relu: ActivationReLU
    }
  }
}
