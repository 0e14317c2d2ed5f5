import CKernels
import Checkpoints

/// A block's layers, for passes to read.
@unsafe
struct BlockWeights {
  /// Q, K and V side by side: [3H] outputs.
  let queryKeyValue: LinearLayer
  /// Of queries and of keys; nil without.
  let queryNorm, keyNorm: LayerNorm?
  let attentionOutput: LinearLayer
  /// Post-norm: of what attention gives and what went in. Pre-norm: of the feed-forward layer's input.
  let middleNorm: LayerNorm
  /// Post-norm: of that norm's result and what went in, once more; nil in most.
  let secondAttentionNorm: LayerNorm?
  /// Nil without gates.
  let gate: LinearLayer?
  let intermediate: LinearLayer
  let output: LinearLayer
  /// Post-norm: of the block's result.
  let outputNorm: LayerNorm?
  /// Pre-norm: of attention's input; nil in a block that has none.
  let inputNorm: LayerNorm?
  /// Nil without rotary positions.
  let rotary: RotaryPositions?
  /// As of `AttentionInput`.
  let window: Int
  let relative: RelativeInput
  /// Nil where heads are not mixed.
  let mix: HeadMix?
}

/// The model as passes read it, all in one arena: linear layers packed for the chosen kernels, the
/// rest as it is. No pass reads a file. `PackingPlan` says where everything goes.
///
/// `@unchecked Sendable`: nothing changes after `init`, which ends when all threads have packed.
@safe
final class ModelWeights: @unchecked Sendable {
  let configuration: ModelConfiguration
  @unsafe let blocks: [BlockWeights]
  @unsafe let pooler: LinearLayer?
  /// Nil without one.
  @unsafe let embeddingNorm: LayerNorm?
  /// After the last block of a pre-norm encoder; nil in another.
  @unsafe let finalNorm: LayerNorm?
  /// [H, E]; nil where the embeddings are the hidden states.
  @unsafe let projection: LinearLayer?
  /// Beside the first block, and the norm after it; nil without one.
  @unsafe let convolution: (layer: LinearLayer, norm: LayerNorm)?
  /// Of attention's scores.
  let scoreScale: Float
  /// [A, 2 · positions - 1], from the column of distance 0; nil without a bias.
  @unsafe let scoreBias: Matrix?
  /// [V, E], [types, E]
  @unsafe let wordTable, typeTable: UnsafePointer<Float>
  /// [positions, E]; nil without one.
  @unsafe let positionTable: UnsafePointer<Float>?
  /// Bytes of packed weights and embedding tables.
  let byteCount: Int

  private let arena: FloatArena
  private let activations: Activations

  /// Packs a model's weights, once for each node of the threads.
  ///
  /// - Parameters:
  ///   - besides: bytes of what else counts towards `limit`. Touched only when packing has ended.
  ///   - limit: bytes; over it nothing is packed.
  static func packed(
    _ checkpoint: Checkpoint, kernels: Kernels, threads: ComputeThreads, besides: Int, limit: Int
  ) throws(BERTError) -> [ModelWeights] {
    let configuration = checkpoint.configuration
    let names = TensorNames(configuration)
    let tensors: [String: Tensor]
    do {
      tensors = try checkpoint.tensors(names.required, optional: [names.pooler])
    } catch {
      throw .checkpoint(error)
    }
    var plan = try PackingPlan(configuration, tensors, kernels)
    let places = plan.weights(hasPooler: tensors[names.pooler[0].name] != nil)
    let (layout, jobs) = (plan.layout, plan.jobs)
    let arena = try FloatArena(count: layout.count)
    let scratchCount = jobs.map(\.scratchCount).max() ?? 0
    let scratchSize = threads.count * scratchCount * MemoryLayout<Float>.size
    let needed = threads.nodeCount * arena.size + max(besides, scratchSize)
    guard needed <= limit else { throw .memoryLimit(needed: needed, limit: limit) }
    try PackingJob.run(
      jobs, scratchCount: scratchCount, kernels: kernels, into: arena, threads: threads)
    var arenas = [arena]
    for node in 1..<threads.nodeCount {
      let copy = try FloatArena(count: layout.count)
      let near = threads.threads(of: node)
      threads.run(on: near) { copy.copyPart($0, of: near.count, from: arena) }
      arenas.append(copy)
    }
    return arenas.map { ModelWeights(configuration, places, kernels, in: $0) }
  }

  private init(
    _ configuration: ModelConfiguration, _ places: WeightPlaces, _ kernels: Kernels,
    in arena: FloatArena
  ) {
    self.configuration = configuration
    scoreScale = 1 / Float(configuration.headSize * configuration.scoreTerms).squareRoot()
    byteCount = arena.size

    let activations = Activations(
      [
        ActivationNone, configuration.activation.kind, ActivationTanh,
        configuration.convolution?.activation?.kind ?? ActivationTanh,
      ], kernels)
    func linear(
      _ place: LayerPlace, _ activation: Int = 0, givesValues: Bool = false
    ) -> LinearLayer {
      unsafe place.layer(in: arena, activations[activation], givesValues: givesValues)
    }
    func norm(_ place: NormPlace) -> LayerNorm {
      unsafe place.layerNorm(
        in: arena, epsilon: configuration.layerNormEpsilon,
        isRootMeanSquare: configuration.isRootMeanSquareNorm)
    }
    func relative(_ place: BlockPlaces) -> RelativeInput {
      func rows(_ offset: Int?) -> UnsafeRawPointer? {
        unsafe offset.map { unsafe UnsafeRawPointer(arena.floats(at: $0)) }
      }
      let rowOfDistance = unsafe places.rowsOfDistances.map { place in
        // From that of distance 0.
        unsafe UnsafeRawPointer(arena.floats(at: place + configuration.positionCount - 1))
          .assumingMemoryBound(to: Int32.self)
      }
      return unsafe RelativeInput(
        keys: rows(place.relativeKeys), queries: rows(place.relativeQueries),
        ld: RelativeProjection.stride(hiddenSize: configuration.hiddenSize, kernels),
        rowOfDistance: rowOfDistance)
    }
    unsafe blocks = (0..<configuration.blockCount).map { index in
      let place = places.blockSets[configuration.blockSet(of: index)]
      let attention = configuration.attention(of: index)
      let rotary = attention.rotary.flatMap { places.rotary[$0] }
      // What a gate multiplies has no activation of its own.
      return unsafe BlockWeights(
        queryKeyValue: linear(place.queryKeyValue, givesValues: true),
        queryNorm: place.queryNorm.map { unsafe norm($0) },
        keyNorm: place.keyNorm.map { unsafe norm($0) },
        attentionOutput: linear(place.attentionOutput), middleNorm: norm(place.middleNorm),
        secondAttentionNorm: place.secondAttentionNorm.map { unsafe norm($0) },
        gate: place.gate.map { unsafe linear($0, 1, givesValues: true) },
        intermediate: linear(place.intermediate, place.gate == nil ? 1 : 0, givesValues: true),
        output: linear(place.output), outputNorm: place.outputNorm.map { unsafe norm($0) },
        inputNorm: place.inputNorm.map { unsafe norm($0) },
        rotary: rotary.map {
          unsafe RotaryPositions(table: arena.floats(at: $0), size: configuration.headSize)
        }, window: attention.window ?? 0, relative: relative(place),
        mix: place.mix.map {
          unsafe HeadMix(
            scores: UnsafePointer(arena.floats(at: $0.scores)),
            weights: UnsafePointer(arena.floats(at: $0.weights)))
        })
    }
    unsafe pooler = places.pooler.map { unsafe linear($0, 2) }
    unsafe projection = places.projection.map { unsafe linear($0) }
    unsafe convolution = places.convolution.map {
      unsafe (layer: linear($0.layer, 3), norm: norm($0.norm))
    }
    unsafe scoreBias = places.scoreBias.map { place in
      unsafe Matrix(
        base: arena.floats(at: place + configuration.positionCount - 1),
        stride: 2 * configuration.positionCount - 1)
    }
    unsafe embeddingNorm = places.embeddingNorm.map { unsafe norm($0) }
    unsafe finalNorm = places.finalNorm.map { unsafe norm($0) }
    unsafe wordTable = UnsafePointer(arena.floats(at: places.wordTable))
    unsafe positionTable = places.positionTable.map { unsafe UnsafePointer(arena.floats(at: $0)) }
    unsafe typeTable = UnsafePointer(arena.floats(at: places.typeTable))
    self.arena = arena
    self.activations = activations
  }
}

extension ModelConfiguration.Activation {
  var kind: ActivationKind {
    switch self {
    case .geluErf: ActivationGELUErf
    case .geluTanh: ActivationGELUTanh
    case .relu: ActivationReLU
    case .silu: ActivationSiLU
    }
  }
}
