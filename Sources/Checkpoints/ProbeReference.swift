#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The encoder that is served, as plainly as it can be written, in float64 on made-up weights.
struct ProbeReference {
  let configuration: ModelConfiguration
  let weights: ProbeWeights
  let activation: ModelConfiguration.Activation
  /// Whether layer norms come before attention and feed-forward. Not served: it tells why.
  var normalizesFirst = false

  typealias Rows = [[Double]]

  struct Sequence {
    var ids: [Int]
    var types: [Int]
    /// Tokens that are not padding.
    var attended: Int
  }

  /// The results of every block for sequences of one length, one after the other. [rows, H] each.
  func blocks(_ sequences: [Sequence]) -> [Rows] {
    var rows: Rows = []
    for sequence in sequences {
      for (position, token) in zip(sequence.ids, sequence.types).enumerated() {
        let parts = [("word", token.0), ("position", position), ("token_type", token.1)].map {
          weights.row($1, of: "embeddings.\($0)_embeddings.weight")
        }
        rows.append(Self.sum(Self.sum(parts[0], parts[1]), parts[2]))
      }
    }
    rows = norm("embeddings", rows)
    if configuration.projectedSize != nil { rows = weights.apply(TensorNames.projection, to: rows) }
    return (0..<configuration.blockCount).map { index in
      rows = block("encoder.layer.\(configuration.blockSet(of: index))", rows, sequences)
      return rows
    }
  }

  private func block(_ name: String, _ rows: Rows, _ sequences: [Sequence]) -> Rows {
    let inner = "\(name).attention.output"
    if normalizesFirst {
      let middle = Self.sum(rows, attention(name, norm(inner, rows), sequences))
      return Self.sum(middle, feedForward(name, norm("\(name).output", middle)))
    }
    let middle = norm(inner, Self.sum(rows, attention(name, rows, sequences)))
    return norm("\(name).output", Self.sum(middle, feedForward(name, middle)))
  }

  private func attention(_ name: String, _ rows: Rows, _ sequences: [Sequence]) -> Rows {
    let parts = ["query", "key", "value"].map {
      weights.apply("\(name).attention.self.\($0)", to: rows)
    }
    let size = configuration.headSize
    let heads = 0..<configuration.headCount
    let mixes = [TensorNames.Block.scoreMix, TensorNames.Block.weightMix].map {
      configuration.mixesHeads ? weights.vector("\(name).\($0)") : []
    }
    // [heads, keys] of one query.
    func mixed(_ scores: Rows, _ mix: [Double]) -> Rows {
      guard configuration.mixesHeads else { return scores }
      return heads.map { to in
        scores[0].indices.map { key in
          heads.reduce(0) { $0 + scores[$1][key] * mix[$1 * heads.count + to] }
        }
      }
    }
    var contexts: Rows = []
    for sequence in sequences {
      let first = contexts.count
      let attended = first..<first + sequence.attended
      for query in parts[0][first..<first + sequence.ids.count] {
        let scores = heads.map { head in
          parts[1][attended].map { key in
            (head * size..<(head + 1) * size).reduce(0) { $0 + query[$1] * key[$1] }
              / Double(size).squareRoot()
          }
        }
        let shares = mixed(scores, mixes[0]).map { scores in
          let powers = scores.map { exp($0) }
          let sum = powers.reduce(0, +)
          return powers.map { $0 / sum }
        }
        var context = [Double](repeating: 0, count: configuration.hiddenSize)
        for (head, shares) in mixed(shares, mixes[1]).enumerated() {
          for (share, value) in zip(shares, parts[2][attended]) {
            for column in head * size..<(head + 1) * size {
              context[column] += share * value[column]
            }
          }
        }
        contexts.append(context)
      }
    }
    return weights.apply("\(name).attention.output.dense", to: contexts)
  }

  private func feedForward(_ name: String, _ rows: Rows) -> Rows {
    func activated(_ layer: String) -> Rows {
      weights.apply("\(name).\(layer)", to: rows).map { $0.map { activation($0) } }
    }
    let inner =
      configuration.isGated
      ? zip(
        activated(TensorNames.Block.gate),
        weights.apply("\(name).\(TensorNames.Block.intermediate)", to: rows)
      ).map { zip($0, $1).map { $0 * $1 } } : activated(TensorNames.Block.intermediate)
    return weights.apply("\(name).output.dense", to: inner)
  }

  private func norm(_ name: String, _ rows: Rows) -> Rows {
    let gamma = weights.vector("\(name).LayerNorm.weight")
    let beta = weights.vector("\(name).LayerNorm.bias")
    return rows.map { row in
      let mean = row.reduce(0, +) / Double(row.count)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
      let scale = 1 / (variance + configuration.layerNormEpsilon).squareRoot()
      return row.indices.map { (row[$0] - mean) * scale * gamma[$0] + beta[$0] }
    }
  }

  private static func sum(_ left: Rows, _ right: Rows) -> Rows {
    zip(left, right).map { sum($0, $1) }
  }

  private static func sum(_ left: [Double], _ right: [Double]) -> [Double] {
    zip(left, right).map { $0 + $1 }
  }
}
