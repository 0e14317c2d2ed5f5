#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Finds out what an encoder's graph computes: it is run on a few tokens and made-up weights, and
/// the results compared with those of the encoder that is served.
///
/// Names of variables do not tell it: encoders that normalise before attention, or take a mean for
/// the pooler's result, have the same.
struct SavedModelProbe {
  /// What the export gives, of what is served.
  struct Finding {
    var configuration: ModelConfiguration
    /// Of the map.
    var keys: Set<String>
    /// The tokens that the graph was run on, by the name of the input.
    var tokens: [String: GraphArray] = [:]
    /// What it gave for them; nil if it has no such output.
    var pooled: GraphArray?
  }

  let graph: SavedModelGraph
  let signature: GraphSignature
  /// Without activation and epsilon.
  let configuration: ModelConfiguration
  let weights: ProbeWeights
  /// By place in the signature's captures.
  let captures: [GraphRun.Value]
  let hasPooler: Bool

  /// Float32 constants in a computation of float64.
  private static let tolerance = 1e-6
  /// Two sequences: one of five tokens, one of three and padding.
  private static let attended = [5, 3]

  /// Whether a function takes the three tensors of BERT's for any batch and length, and booleans
  /// that are false, and gives the tokens' vectors.
  static func isEncoder(_ signature: GraphSignature) -> Bool {
    takesTokens(signature)
      && signature.inputs.allSatisfy({ $0.name == nil || $0.shape == [nil, nil] })
      && signature.outputs.contains { $0.path == "sequence_output" }
      && !signature.inputs.contains(where: \.isTrue)
  }

  static func takesTokens(_ signature: GraphSignature) -> Bool {
    roles(signature)?.count == inputNames.count
  }

  /// `input_word_ids`, `input_mask` and `input_type_ids` in the order of the arguments.
  private static func roles(_ signature: GraphSignature) -> [String]? {
    let names = signature.inputs.compactMap { leaf in
      leaf.name.map { name in
        [leaf.path, name].compactMap { $0.split(separator: "/").last }.map(String.init).first {
          inputNames.contains($0)
        } ?? name
      }
    }
    return Set(names) == Set(inputNames) ? names : nil
  }

  static let inputNames = ["input_word_ids", "input_mask", "input_type_ids"]

  func finding() throws(CheckpointError) -> Finding {
    let length = min(5, configuration.positionCount)
    let sequences = Self.attended.enumerated().map { row, attended in
      ProbeReference.Sequence(
        ids: (0..<length).map { (7 * row + 3 * $0 + 1) % configuration.vocabularySize },
        types: (0..<length).map { $0 == 1 ? min(1, configuration.typeCount - 1) : 0 },
        attended: min(attended, length))
    }
    var tokens: [String: GraphArray] = [:]
    for role in Self.inputNames {
      let values = sequences.flatMap { sequence in
        switch role {
        case "input_word_ids": sequence.ids
        case "input_type_ids": sequence.types
        default: (0..<length).map { $0 < sequence.attended ? 1 : 0 }
        }
      }
      tokens[role] = GraphArray([sequences.count, length], values.map(Double.init))
    }
    let arguments = (Self.roles(signature) ?? []).compactMap {
      tokens[$0].map(GraphRun.Value.array)
    }
    var run = GraphRun(graph, weights)
    let results = try run.call(signature.name, arguments + captures)
    guard results.count == signature.outputs.count else {
      throw unsupported("the function \(signature.name) has \(results.count) results")
    }
    var outputs: [String: GraphArray] = [:]
    for (leaf, result) in zip(signature.outputs, results) {
      if case .array(let array) = result { outputs[leaf.path] = array }
    }
    var finding = try compare(outputs, sequences, try epsilon(run.epsilons))
    (finding.tokens, finding.pooled) = (tokens, outputs["pooled_output"])
    return finding
  }

  private func epsilon(_ found: Set<Double>) throws(CheckpointError) -> Double {
    guard found.count == 1, let value = found.first, value > 0, value < 1 else {
      throw unsupported("its layer norms must have one epsilon, have \(found.sorted())")
    }
    // The decimal that was written, not the double nearest to the float32.
    return Double(Float(value).description) ?? value
  }

  // MARK: Comparison

  private func compare(
    _ outputs: [String: GraphArray], _ sequences: [ProbeReference.Sequence], _ epsilon: Double
  ) throws(CheckpointError) -> Finding {
    var configuration = configuration
    configuration.layerNormEpsilon = epsilon
    func reference(
      _ activation: ModelConfiguration.Activation, normalizesFirst: Bool = false
    ) -> [ProbeReference.Rows] {
      ProbeReference(
        configuration: configuration, weights: weights, activation: activation,
        normalizesFirst: normalizesFirst
      ).blocks(sequences)
    }
    let length = sequences[0].ids.count
    guard let sequence = outputs["sequence_output"] else {
      throw unsupported("it gives no sequence_output")
    }
    // Model Garden's own first.
    let activations =
      [.geluTanh] + ModelConfiguration.Activation.allCases.filter { $0 != .geluTanh }
    var found: (ModelConfiguration.Activation, [ProbeReference.Rows])?
    for activation in activations where found == nil {
      let blocks = reference(activation)
      if Self.isSame(sequence, blocks[blocks.count - 1]) { found = (activation, blocks) }
    }
    guard let (activation, blocks) = found else {
      throw unsupported(
        reason(sequence, [sequences.count, length, configuration.hiddenSize]) {
          activations.contains {
            Self.isSame(sequence, reference($0, normalizesFirst: true).last ?? [])
          }
        })
    }
    var keys: Set<String> = ["sequence_output"]
    let given = signature.outputs.map(\.path).filter { $0.hasPrefix("encoder_outputs/") }
    if !given.isEmpty {
      guard given.count == blocks.count,
        zip(given, blocks).allSatisfy({ path, rows in
          outputs[path].map { Self.isSame($0, rows) } ?? false
        })
      else {
        throw unsupported("its encoder_outputs are not the results of its \(blocks.count) blocks")
      }
      keys.insert("encoder_outputs")
    }
    var normalizes = false
    for key in ["pooled_output", "default"] {
      guard let pooled = outputs[key] else { continue }
      let isNormalized = try pooling(key, pooled, blocks[blocks.count - 1], sequences)
      guard !keys.contains("pooled_output") || isNormalized == normalizes else {
        throw unsupported("its default is not its pooled_output")
      }
      normalizes = isNormalized
      keys.insert(key)
    }
    configuration.activation = activation
    configuration.normalizesPooled = normalizes
    return Finding(configuration: configuration, keys: keys)
  }

  /// Whether a pooled output is divided by its length.
  private func pooling(
    _ key: String, _ pooled: GraphArray, _ rows: ProbeReference.Rows,
    _ sequences: [ProbeReference.Sequence]
  ) throws(CheckpointError) -> Bool {
    let length = sequences[0].ids.count
    let first = sequences.indices.map { rows[$0 * length] }
    if hasPooler {
      let linear = weights.apply("pooler.dense", to: first)
      let expected = linear.map { $0.map { tanh($0) } }
      if Self.isSame(pooled, expected) { return false }
      let normalized = expected.map { row in
        let size = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return row.map { $0 / size }
      }
      if Self.isSame(pooled, normalized) { return true }
      if Self.isSame(pooled, linear) {
        throw unsupported("its \(key) is the pooler's without the tanh, which is not supported")
      }
    }
    func mean(_ count: (ProbeReference.Sequence) -> Int) -> ProbeReference.Rows {
      sequences.enumerated().map { index, sequence in
        let own = rows[index * length..<index * length + count(sequence)]
        return (0..<configuration.hiddenSize).map { column in
          own.reduce(0) { $0 + $1[column] } / Double(own.count)
        }
      }
    }
    let what =
      if Self.isSame(pooled, first) {
        "the first token's vector"
      } else if Self.isSame(pooled, mean { $0.ids.count }) || Self.isSame(pooled, mean(\.attended))
      {
        "the mean of the tokens' vectors"
      } else {
        "another function"
      }
    throw unsupported(
      "its \(key) is \(what), not tanh of a linear layer over the first token's vector (or that "
        + "divided by its length), which is supported")
  }

  private static let activationNames = ModelConfiguration.Activation.allCases.map(\.rawValue)
    .joined(separator: ", ")

  /// Why a sequence output is not what it should be.
  private func reason(
    _ found: GraphArray, _ shape: [Int], normalizesFirst: () -> Bool
  ) -> String {
    guard found.shape == shape else {
      return "its sequence_output is \(found.shape) where BERT's is \(shape): an encoder with "
        + "output_range is not supported"
    }
    if normalizesFirst() {
      return "its blocks normalise before attention and feed-forward (norm_first=True), which is "
        + "not supported: BERT normalises after them"
    }
    return "its sequence_output is not what BERT's encoder computes from these variables: blocks "
      + "that normalise after attention and feed-forward, with one of the activations "
      + Self.activationNames + ", are supported"
  }

  private static func isSame(_ array: GraphArray, _ rows: ProbeReference.Rows) -> Bool {
    let expected = rows.flatMap { $0 }
    return array.values.count == expected.count && array.shape.last == rows.first?.count
      && zip(array.values, expected).allSatisfy { abs($0 - $1) <= tolerance * (1 + abs($1)) }
  }

  private func unsupported(_ reason: String) -> CheckpointError {
    .unsupported(path: graph.path, reason: reason)
  }
}
