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

  /// The results of the embeddings and of every block, for one sequence. [rows, H] each.
  func blocks(_ ids: [Int], types: [Int], attended: Int) -> [Rows] {
    let embedded = zip(ids, types).enumerated().map { position, token in
      let tables = [("word", token.0), ("position", position), ("token_type", token.1)]
      let rows = tables.map { weights.row($1, of: "embeddings.\($0)_embeddings.weight") }
      return norm("embeddings", Self.sum(Self.sum(rows[0], rows[1]), rows[2]))
    }
    var results = [embedded]
    for index in 0..<configuration.blockCount {
      results.append(block("encoder.layer.\(index)", results[index], attended))
    }
    return results
  }

  private func block(_ name: String, _ rows: Rows, _ attended: Int) -> Rows {
    let inner = "\(name).attention.output"
    if normalizesFirst {
      let middle = zip(rows, attention(name, rows.map { norm(inner, $0) }, attended))
        .map(Self.sum)
      return middle.map { Self.sum($0, feedForward(name, norm("\(name).output", $0))) }
    }
    let middle = zip(rows, attention(name, rows, attended)).map { norm(inner, Self.sum($0, $1)) }
    return middle.map { norm("\(name).output", Self.sum($0, feedForward(name, $0))) }
  }

  private func attention(_ name: String, _ rows: Rows, _ attended: Int) -> Rows {
    func project(_ part: String) -> Rows {
      rows.map { weights.apply("\(name).attention.self.\(part)", to: $0) }
    }
    let (queries, keys, values) = (project("query"), project("key"), project("value"))
    let size = configuration.headSize
    return queries.map { query in
      var context = [Double](repeating: 0, count: configuration.hiddenSize)
      for head in 0..<configuration.headCount {
        let columns = head * size..<(head + 1) * size
        let powers = keys[..<attended].map { key in
          exp(columns.reduce(0) { $0 + query[$1] * key[$1] } / Double(size).squareRoot())
        }
        let sum = powers.reduce(0, +)
        for (power, value) in zip(powers, values) {
          for column in columns { context[column] += power / sum * value[column] }
        }
      }
      return weights.apply("\(name).attention.output.dense", to: context)
    }
  }

  private func feedForward(_ name: String, _ row: [Double]) -> [Double] {
    let inner = weights.apply("\(name).intermediate.dense", to: row).map { value in
      switch activation {
      case .geluErf: value / 2 * (1 + erf(value / 2.0.squareRoot()))
      case .geluTanh:
        value / 2
          * (1 + tanh((2 / Double.pi).squareRoot() * (value + 0.044715 * value * value * value)))
      case .relu: max(value, 0)
      }
    }
    return weights.apply("\(name).output.dense", to: inner)
  }

  private func norm(_ name: String, _ row: [Double]) -> [Double] {
    let mean = row.reduce(0, +) / Double(row.count)
    let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
    let scale = 1 / (variance + configuration.layerNormEpsilon).squareRoot()
    let (gamma, beta) = (
      weights.vector("\(name).LayerNorm.weight"), weights.vector("\(name).LayerNorm.bias")
    )
    return row.indices.map { (row[$0] - mean) * scale * gamma[$0] + beta[$0] }
  }

  private static func sum(_ left: [Double], _ right: [Double]) -> [Double] {
    zip(left, right).map { $0 + $1 }
  }
}
