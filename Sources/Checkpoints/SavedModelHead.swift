import EncoderContract

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Finds out what a model that takes texts makes of its encoder's pooled output, as a `SavedModelProbe`
/// finds out what the encoder computes: the graph is run, with made-up vectors in place of the pooled
/// output, and the results compared with those of dense layers.
struct SavedModelHead {
  let graph: SavedModelGraph
  let bundle: TensorBundle
  /// Those of the encoder.
  let variables: SavedModelVariables
  let encoder: SavedModelProbe.Finding

  /// A layer's variables, at the numbers `head.N` of the probe's weights.
  private struct Layer {
    var weights: Tensor
    var bias: Tensor?
    var outputs: Int
  }

  /// The made-up vectors.
  private static let rowCount = 24
  /// Float32 constants in a computation of float64.
  private static let tolerance = 1e-6
  private static let maximumLayerCount = 3
  /// Functions that may be the encoder's and are run to see it: they stand within each other.
  private static let maximumEncoderRuns = 4
  /// Sums and products of comparing: less than a second.
  private static let maximumWork = 1 << 28
  /// Those of Keras that have no number of their own.
  private static let activations: [DenseLayer.Activation] = [
    .identity, .tanh, .relu, .sigmoid, .gelu, .silu, .elu, .selu, .softPlus, .softSign, .relu6,
  ]

  /// The head, or why there is none; an error if the files are malformed.
  func finding() throws(CheckpointError) -> HeadFinding<ClassificationHead> {
    let signature = try signature()
    if let signature, signature.outputs.allSatisfy({ encoder.keys.contains(Self.key($0)) }) {
      return .none(because: "the model gives what its encoder gives")
    }
    do {
      return .head(try head(signature))
    } catch CheckpointError.unsupported(_, let reason) {
      return .none(because: reason, isExpected: true)
    }
  }

  /// `encoder_outputs` of `encoder_outputs/0`.
  private static func key(_ output: GraphSignature.Leaf) -> String {
    output.path.split(separator: "/").first.map(String.init) ?? ""
  }

  private func head(_ signature: GraphSignature?) throws(CheckpointError) -> ClassificationHead {
    guard let signature, signature.outputs.count == 1 else {
      throw unsupported(
        "the model that the encoder is part of does not give one output for a text")
    }
    guard encoder.keys.contains("pooled_output"), !encoder.configuration.normalizesPooled else {
      throw unsupported("its encoder has no pooled_output that is a tanh")
    }
    var weights = variables.probeWeights
    let (captures, layers) = try captures(of: signature, &weights)
    let rows = Self.rows(of: encoder.configuration.hiddenSize)
    let result = try run(signature, captures, weights, rows)
    return try match(result, rows, layers, weights)
  }

  /// That of the root for texts, not for training.
  private func signature() throws(CheckpointError) -> GraphSignature? {
    guard let call = graph.child("__call__", of: 0) else { return nil }
    for function in graph.objects[call].functions {
      if let signature = try graph.signature(function), signature.takesText { return signature }
    }
    return nil
  }

  /// The values of a function's captures, and the layers whose variables are among them: each has a
  /// kernel [in, out] and then a bias [out].
  private func captures(
    of signature: GraphSignature, _ weights: inout ProbeWeights
  ) throws(CheckpointError) -> ([GraphRun.Value], [Layer]) {
    var captures: [GraphRun.Value] = []
    var layers: [Layer] = []
    var size = encoder.configuration.hiddenSize
    let entries = Dictionary(bundle.entries.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    for node in signature.captures {
      if let number = variables.numbers[node] {
        captures.append(.variable(number))
        continue
      }
      guard graph.objects.indices.contains(node), let name = graph.objects[node].variable else {
        captures.append(.other)
        continue
      }
      guard let key = variables.keys[node],
        let entry = entries[key]
      else { throw unsupported("the checkpoint has no \(name), which the model uses") }
      let index = layers.count - (layers.last.map { $0.bias == nil } ?? false ? 1 : 0)
      guard index < Self.maximumLayerCount else {
        throw unsupported(
          "the model has more than \(Self.maximumLayerCount) dense layers over the encoder's pooled "
            + "output")
      }
      if index == layers.count, entry.shape.count == 2, entry.shape[0] == size,
        ModelConfiguration.Limits.vectorSize ~= entry.shape[1]
      {
        size = entry.shape[1]
        layers.append(
          Layer(
            weights: try bundle.tensor(
              entry, name: name, shape: [entry.shape[1], entry.shape[0]], isTransposed: true),
            outputs: size))
        captures.append(
          .variable(
            weights.add(.init(name: "head.\(index).weight", shape: entry.shape, inputAxes: 1))))
      } else if index < layers.count, entry.shape == [size] {
        layers[index].bias = try bundle.tensor(
          entry, name: name, shape: entry.shape, isTransposed: false)
        captures.append(
          .variable(weights.add(.init(name: "head.\(index).bias", shape: entry.shape))))
      } else {
        throw unsupported(
          "the model uses the variable \(name) \(entry.shape), which is none of a dense layer with a "
            + "bias over the encoder's pooled output")
      }
    }
    guard !layers.isEmpty, layers.allSatisfy({ $0.bias != nil }),
      layers.allSatisfy({ $0.weights.elementType.isFloat && $0.bias?.elementType.isFloat == true })
    else {
      throw unsupported(
        "the model has \(layers.count) dense layers over the encoder's pooled output: 1 to "
          + "\(Self.maximumLayerCount) with biases are supported")
    }
    return (captures, layers)
  }

  /// Vectors as a tanh gives them, but larger: so that activations are told apart.
  private static func rows(of size: Int) -> [[Double]] {
    var weights = ProbeWeights()
    let number = weights.add(.init(name: "head.input", shape: [rowCount, size]))
    let values = weights.array(number)?.values ?? []
    return stride(from: 0, to: values.count, by: size).map { start in
      values[start..<start + size].map { 3 * $0 }
    }
  }

  /// What the model gives for the rows in place of its encoder's pooled output.
  private func run(
    _ signature: GraphSignature, _ captures: [GraphRun.Value], _ weights: ProbeWeights,
    _ rows: [[Double]]
  ) throws(CheckpointError) -> GraphArray {
    let tokens = SavedModelProbe.inputNames.sorted().compactMap { encoder.tokens[$0] }
    guard let pooled = encoder.pooled else { throw unsupported("its encoder has no pooled_output") }
    func isTokens(_ value: GraphRun.Value, _ array: GraphArray) -> Bool {
      if case .array(let other) = value { other.values == array.values } else { false }
    }
    var runCount = 0
    var isFound = false
    var outer = GraphRun(graph, weights) {
      (name, arguments, resultCount) throws(CheckpointError) in
      // Tokens of texts: their names are sorted.
      if resultCount == tokens.count,
        arguments.contains(where: { if case .other = $0 { true } else { false } })
      {
        return tokens.map { .array($0) }
      }
      guard
        tokens.allSatisfy({ array in arguments.contains { isTokens($0, array) } }),
        runCount < Self.maximumEncoderRuns
      else { return nil }
      runCount += 1
      var inner = GraphRun(graph, weights)
      let results = try inner.call(name, arguments)
      let isPooled = results.map { result in
        if case .array(let array) = result { Self.isSame(array, pooled) } else { false }
      }
      guard isPooled.contains(true) else { return nil }
      isFound = true
      let given = GraphArray(
        [rows.count, encoder.configuration.hiddenSize], rows.flatMap { $0 })
      return isPooled.map { $0 ? .array(given) : .other }
    }
    let results = try outer.call(signature.name, [.other] + captures)
    guard isFound else {
      throw unsupported("the model does not call its encoder with the tokens of its texts")
    }
    guard case .array(let result)? = results.first, results.count == 1 else {
      throw unsupported("the model gives no numbers")
    }
    return result
  }

  // MARK: Comparison

  /// Tries the activations of all layers but the last, and then what is known of that one.
  private func match(
    _ result: GraphArray, _ rows: [[Double]], _ layers: [Layer], _ weights: ProbeWeights
  ) throws(CheckpointError) -> ClassificationHead {
    let combinations = layers.indices.reduce(1) { count, _ in count * Self.activations.count }
    let size = layers.reduce(0) { $0 + $1.outputs }
    guard combinations * size <= Self.maximumWork / (Self.rowCount * 8) else {
      throw unsupported(
        "the model's dense layers have \(size) outputs, too many to try activations")
    }
    guard let found = match(result, rows, layers, weights, from: 0) else {
      throw unsupported(
        "what the model makes of its encoder's pooled output is not what dense layers give, with "
          + Self.activations.map { $0.rawValue }.joined(separator: ", ")
          + ", or Softmax at the end")
    }
    var stored: [ClassificationHead.Layer] = []
    for (layer, activation) in zip(layers, found.activations) {
      guard let bias = layer.bias else { continue }
      stored.append(.init(weights: layer.weights, bias: bias, activation: activation))
    }
    return ClassificationHead(
      input: .pooled, storedLayers: stored,
      labels: (0..<(layers.last?.outputs ?? 0)).map { "LABEL_\($0)" },
      scoreFunction: found.scoreFunction)
  }

  private typealias Match = (activations: [DenseLayer.Activation], scoreFunction: ScoreFunction?)

  private func match(
    _ result: GraphArray, _ rows: [[Double]], _ layers: [Layer], _ weights: ProbeWeights,
    from index: Int
  ) -> Match? {
    let values = weights.apply("head.\(index)", to: rows)
    func mapped(_ activation: DenseLayer.Activation) -> [[Double]] {
      values.map { $0.map { activation.value($0) } }
    }
    guard index == layers.count - 1 else {
      for activation in Self.activations {
        if let (rest, function) = match(
          result, mapped(activation), layers, weights, from: index + 1)
        {
          return ([activation] + rest, function)
        }
      }
      return nil
    }
    // The last layer's own function is that of the probabilities, if there is one. Without it, it is
    // the one that Keras's losses take with from_logits.
    let isOne = layers[index].outputs == 1
    if Self.isSame(result, values) { return ([.identity], isOne ? .sigmoid : .softmax) }
    if Self.isSame(result, mapped(.sigmoid)) { return ([.identity], .sigmoid) }
    if !isOne, Self.isSame(result, values.map(Self.softmax)) { return ([.identity], .softmax) }
    return Self.activations.first { Self.isSame(result, mapped($0)) }.map { ([$0], nil) }
  }

  private static func softmax(_ row: [Double]) -> [Double] {
    let largest = row.max() ?? 0
    let powers = row.map { exp($0 - largest) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
  }

  private static func isSame(_ array: GraphArray, _ rows: [[Double]]) -> Bool {
    array.shape == [rows.count, rows.first?.count ?? 0]
      && isSame(array.values, rows.flatMap { $0 })
  }

  private static func isSame(_ array: GraphArray, _ other: GraphArray) -> Bool {
    array.shape == other.shape && isSame(array.values, other.values)
  }

  private static func isSame(_ values: [Double], _ others: [Double]) -> Bool {
    zip(values, others).allSatisfy { abs($0 - $1) <= tolerance * (1 + abs($1)) }
  }

  private func unsupported(_ reason: String) -> CheckpointError {
    .unsupported(path: graph.path, reason: reason)
  }
}
