import Checkpoints
import EncoderContract
import Foundation

/// The same graph in double precision, written as the definition reads.
struct Reference {
  let configuration: ModelConfiguration
  let weights: [String: [Double]]

  init(_ configuration: ModelConfiguration, _ weights: [String: [Float]]) {
    self.configuration = configuration
    self.weights = weights.mapValues { $0.map(Double.init) }
  }

  typealias Rows = [[Double]]

  /// Every block's output.
  func blocks(_ sequence: TokenSequence) -> [Rows] {
    let size = configuration.embeddingSize
    func row(_ table: String, _ index: Int) -> ArraySlice<Double> {
      weights["embeddings.\(table)_embeddings.weight"]![index * size..<(index + 1) * size]
    }
    var x: Rows = []
    var next = configuration.hasPaddingPosition ? 1 : 0
    for index in 0..<sequence.count {
      let id = Int(sequence.ids[index])
      let word = row("word", id)
      let type = row("token_type", Int(sequence.typeIDs[index]))
      let isPadding = configuration.hasPaddingPosition && id == configuration.padTokenID
      let position = isPadding ? 0 : next
      next += isPadding ? 0 : 1
      x.append(zip(zip(word, type), row("position", position)).map { $0.0 + $0.1 + $1 })
    }
    x = norm(x, "embeddings")
    if configuration.projectedSize != nil { x = linear(x, "embeddings_project") }
    return (0..<configuration.blockCount).map { index in
      x = block(x, "encoder.layer.\(configuration.blockSet(of: index))", sequence.attendedCount)
      return x
    }
  }

  func pooled(_ lastBlock: Rows) -> [Double] {
    linear([lastBlock[0]], "pooler.dense")[0].map { tanh($0) }
  }

  func sentence(_ lastBlock: Rows, _ attended: Int, _ modules: SentenceModules) -> [Double] {
    let rows = lastBlock[..<attended]
    var pooled = (0..<configuration.hiddenSize).map { column in
      let values = rows.map { $0[column] }
      let sum = values.reduce(0, +)
      switch modules.poolings[0] {
      case .cls: return values[0]
      case .mean: return sum / Double(attended)
      case .max: return values.max()!
      case .meanSqrtLength: return sum / Double(attended).squareRoot()
      case .lastToken: return values[attended - 1]
      case .weightedMean:
        let weights = (1...attended).map(Double.init)
        return zip(values, weights).reduce(0) { $0 + $1.0 * $1.1 } / weights.reduce(0, +)
      }
    }
    if modules.normalizes {
      let length = pooled.reduce(0) { $0 + $1 * $1 }.squareRoot()
      pooled = pooled.map { $0 / length }
    }
    return pooled
  }

  private func block(_ x: Rows, _ name: String, _ attended: Int) -> Rows {
    let q = linear(x, "\(name).attention.self.query")
    let k = linear(x, "\(name).attention.self.key")
    let v = linear(x, "\(name).attention.self.value")
    let headSize = configuration.headSize
    let bias = weights["encoder.relative_attention_bias.weight"]
    let context: Rows = q.enumerated().map { place, query in
      (0..<configuration.headCount).flatMap { head -> [Double] in
        let columns = head * headSize..<(head + 1) * headSize
        let scores = k[..<attended].enumerated().map { index, key in
          let score = columns.reduce(0.0) { $0 + query[$1] * key[$1] }
          let bucket = RelativeBias.bucket(distance: index - place)
          return score / Double(headSize).squareRoot()
            + (bias?[bucket * configuration.headCount + head] ?? 0)
        }
        let largest = scores.max()!
        let numerators = scores.map { exp($0 - largest) }
        let sum = numerators.reduce(0, +)
        return columns.map { column in
          zip(numerators, v).reduce(0.0) { $0 + $1.0 / sum * $1.1[column] }
        }
      }
    }
    let attended = norm(
      add(linear(context, "\(name).attention.output.dense"), x), "\(name).attention.output")
    let inner = linear(attended, "\(name).intermediate.dense").map { $0.map(activation) }
    return norm(add(linear(inner, "\(name).output.dense"), attended), "\(name).output")
  }

  private func activation(_ x: Double) -> Double {
    switch configuration.activation {
    case .geluErf: 0.5 * x * (1 + erf(x / 2.0.squareRoot()))
    case .geluTanh: 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .relu: max(0, x)
    }
  }

  private func linear(_ x: Rows, _ name: String) -> Rows {
    let weight = weights["\(name).weight"]!
    let bias = weights["\(name).bias"]!
    let inputs = x[0].count
    return x.map { row in
      bias.indices.map { output in
        var sum = bias[output]
        for input in 0..<inputs { sum += row[input] * weight[output * inputs + input] }
        return sum
      }
    }
  }

  private func add(_ a: Rows, _ b: Rows) -> Rows {
    zip(a, b).map { zip($0, $1).map { $0 + $1 } }
  }

  private func norm(_ x: Rows, _ name: String) -> Rows {
    let scale = weights["\(name).LayerNorm.weight"]!
    let shift = weights["\(name).LayerNorm.bias"]!
    return x.map { row in
      let mean = row.reduce(0, +) / Double(row.count)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
      let factor = 1 / (variance + configuration.layerNormEpsilon).squareRoot()
      return row.indices.map { (row[$0] - mean) * factor * scale[$0] + shift[$0] }
    }
  }
}

/// The largest difference; a NaN counts as infinite.
func largestDifference(_ a: [Float], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).reduce(0) { largest, pair in
    let difference = abs(Double(pair.0) - pair.1)
    return difference.isNaN ? .infinity : max(largest, difference)
  }
}
