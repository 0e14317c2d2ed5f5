import Checkpoints

/// Where each tensor goes in the arena of a model's weights, and the work of putting it there.
struct PackingPlan {
  private let configuration: ModelConfiguration
  /// Checked: those that `TensorNames` asks for.
  private let tensors: [String: Tensor]
  private let kernels: Kernels
  private(set) var layout = ArenaLayout()
  private(set) var jobs: [PackingJob] = []
  /// Of float32; nil where only `kernels` pack.
  private let floatKernels: Kernels?

  init(
    _ configuration: ModelConfiguration, _ tensors: [String: Tensor], _ kernels: Kernels
  ) throws(BERTError) {
    self.configuration = configuration
    self.tensors = tensors
    self.kernels = kernels
    floatKernels = configuration.disentangled == nil ? nil : try kernels.float32()
  }

  /// All of the model's.
  mutating func weights(hasPooler: Bool) -> WeightPlaces {
    // The largest first, so that the threads end at the same time.
    WeightPlaces(
      wordTable: vector(TensorNames.tables[0]),
      positionTable: configuration.hasPositionTable ? vector(TensorNames.tables[1]) : nil,
      typeTable: vector(TensorNames.tables[2]),
      blockSets: (0..<configuration.blockSetCount).map { block($0) },
      pooler: hasPooler ? layer(["pooler.dense"]) : nil,
      projection: configuration.projectedSize.map { _ in layer([TensorNames.projection]) },
      convolution: configuration.convolution.map { _ in
        (layer: layer([TensorNames.convolution]), norm: norm(TensorNames.convolutionNorm))
      },
      embeddingNorm: configuration.hasEmbeddingNorm ? norm("embeddings.LayerNorm") : nil,
      finalNorm: configuration.isPreNorm ? norm(TensorNames.finalNorm) : nil,
      scoreBias: scoreBias(), rotary: rotaryTables(), rowsOfDistances: rowsOfDistances())
  }

  /// A tensor as it is.
  private mutating func vector(_ name: String) -> Int {
    let tensor = tensors[name]!
    let offset = layout.add(tensor.count)
    jobs.append(.copy(tensor, offset))
    return offset
  }

  /// Linear layers with the same inputs, side by side. Missing biases stay 0.
  private mutating func layer(_ names: [String]) -> LayerPlace {
    let weights = names.map { tensors["\($0).weight"]! }
    return layer(weights, biases: names.map { tensors["\($0).bias"] })
  }

  private mutating func layer(_ weights: [Tensor], biases: [Tensor?]) -> LayerPlace {
    // Of a convolution, by column and token.
    let inputs = weights[0].count / weights[0].shape[0]
    let outputs = weights.reduce(0) { $0 + $1.shape[0] }
    let place = LayerPlace(inputs: inputs, outputs: outputs, in: &layout, kernels)
    jobs.append(.pack(weights, place))
    var offset = place.bias
    for (weight, bias) in zip(weights, biases) {
      if let bias { jobs.append(.copy(bias, offset)) }
      offset += weight.shape[0]
    }
    return place
  }

  private mutating func norm(_ name: String) -> NormPlace {
    let scale = vector("\(name).weight")
    let columns = tensors["\(name).weight"]!.count
    let hasShift = tensors["\(name).bias"] != nil
    return NormPlace(
      scale: scale, shift: hasShift ? vector("\(name).bias") : layout.add(columns),
      columns: columns)
  }

  /// A set of block weights.
  private mutating func block(_ index: Int) -> BlockPlaces {
    typealias Names = TensorNames.Block
    let block = TensorNames.block(index)
    let isPreNorm = configuration.isPreNorm
    func optionalNorm(_ name: String) -> NormPlace? {
      tensors["\(block)\(name).weight"] == nil ? nil : norm(block + name)
    }
    return BlockPlaces(
      queryKeyValue: queryKeyValue(block), queryNorm: optionalNorm(Names.queryNorm),
      keyNorm: optionalNorm(Names.keyNorm),
      attentionOutput: layer([block + Names.attentionOutput]),
      middleNorm: norm(block + (isPreNorm ? Names.intermediateNorm : Names.attentionOutputNorm)),
      gate: configuration.isGated ? layer([block + Names.gate]) : nil,
      intermediate: layer([block + Names.intermediate]), output: layer([block + Names.output]),
      outputNorm: isPreNorm ? nil : norm(block + Names.outputNorm),
      inputNorm: optionalNorm(Names.attentionNorm),
      secondAttentionNorm: optionalNorm(Names.secondAttentionNorm),
      mix: configuration.mixesHeads
        ? (vector(block + Names.scoreMix), vector(block + Names.weightMix)) : nil,
      relativeKeys: relativeRows(block, isOfKeys: true),
      relativeQueries: relativeRows(block, isOfKeys: false))
  }

  /// Heads that share keys and values get copies of them: the same products, no other kernel.
  private mutating func queryKeyValue(_ block: String) -> LayerPlace {
    let names = TensorNames.Block.queryKeyValue.map { block + $0 }
    let sharing = configuration.headCount / configuration.keyValueHeadCount
    guard sharing > 1 else { return layer(names) }
    var weights = [tensors["\(names[0]).weight"]!]
    var biases = [tensors["\(names[0]).bias"]]
    for name in names.dropFirst() {
      for head in 0..<configuration.keyValueHeadCount {
        let rows = head * configuration.headSize..<(head + 1) * configuration.headSize
        for _ in 0..<sharing {
          weights.append(tensors["\(name).weight"]!.rows(rows)!)
          biases.append(tensors["\(name).bias"]?.rows(rows))
        }
      }
    }
    return layer(weights, biases: biases)
  }

  /// A block's rows of distances; nil without such.
  private mutating func relativeRows(_ block: String, isOfKeys: Bool) -> Int? {
    typealias Names = TensorNames.Block
    guard let disentangled = configuration.disentangled, let floatKernels,
      isOfKeys ? disentangled.hasKeys : disentangled.hasQueries
    else { return nil }
    let shared = Names.queryKeyValue[isOfKeys ? 1 : 0]
    let own = isOfKeys ? Names.relativeKey : Names.relativeQuery
    let name = block + (disentangled.sharesLayers ? shared : own)
    let size = configuration.hiddenSize
    let stride = RelativeProjection.stride(hiddenSize: size, kernels)
    let offset = layout.add(disentangled.rowCount * stride / MemoryLayout<Float>.size)
    func tensor(_ name: String) -> Tensor { tensors[name]! }
    let norm = TensorNames.relativeNorm
    jobs.append(
      .relativeRows(
        RelativeProjection(
          table: tensor("\(TensorNames.relativeTable).weight"),
          norm: disentangled.hasNorm ? (tensor("\(norm).weight"), tensor("\(norm).bias")) : nil,
          layer: (tensor("\(name).weight"), tensor("\(name).bias")),
          epsilon: configuration.layerNormEpsilon, kernels: kernels,
          floatKernels: floatKernels, offset: offset)))
    return offset
  }

  /// The rows of all distances; nil without such.
  private mutating func rowsOfDistances() -> Int? {
    guard let disentangled = configuration.disentangled else { return nil }
    let count = configuration.positionCount
    let offset = layout.add(2 * count - 1)
    jobs.append(.rowsOfDistances(disentangled, positionCount: count, offset))
    return offset
  }

  /// [A, 2 · positions - 1]; nil if nothing is added to scores.
  private mutating func scoreBias() -> Int? {
    let table = tensors[TensorNames.relativeBias]
    guard table != nil || configuration.hasLinearBias else { return nil }
    let offset = layout.add(configuration.headCount * (2 * configuration.positionCount - 1))
    jobs.append(
      table.map { .spread($0, configuration, offset) } ?? .linearBias(configuration, offset))
    return offset
  }

  /// A table for each kind of rotary positions that blocks have.
  private mutating func rotaryTables() -> [RotaryEmbedding: Int] {
    var places: [RotaryEmbedding: Int] = [:]
    for index in 0..<configuration.blockCount {
      guard let rotary = configuration.attention(of: index).rotary, places[rotary] == nil else {
        continue
      }
      let offset = layout.add(configuration.positionCount * configuration.headSize)
      jobs.append(.rotaryTable(rotary, configuration, offset))
      places[rotary] = offset
    }
    return places
  }
}

/// Those of a model's weights, offsets in an arena: see `ModelWeights`.
struct WeightPlaces {
  var wordTable: Int
  var positionTable: Int?
  var typeTable: Int
  var blockSets: [BlockPlaces]
  var pooler, projection: LayerPlace?
  var convolution: (layer: LayerPlace, norm: NormPlace)?
  var embeddingNorm, finalNorm: NormPlace?
  var scoreBias: Int?
  var rotary: [RotaryEmbedding: Int]
  var rowsOfDistances: Int?
}

/// Those of a set of block weights: see `BlockWeights`.
struct BlockPlaces {
  var queryKeyValue: LayerPlace
  var queryNorm, keyNorm: NormPlace?
  var attentionOutput: LayerPlace
  var middleNorm: NormPlace
  var gate: LayerPlace?
  var intermediate, output: LayerPlace
  var outputNorm, inputNorm, secondAttentionNorm: NormPlace?
  /// Of scores, and of what softmax makes of them.
  var mix: (scores: Int, weights: Int)?
  var relativeKeys, relativeQueries: Int?
}
