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
      var sum = zip(row("word", id), row("token_type", Int(sequence.typeIDs[index]))).map {
        $0 + $1
      }
      let isPadding = configuration.hasPaddingPosition && id == configuration.padTokenID
      let position = isPadding ? 0 : next
      next += isPadding ? 0 : 1
      if configuration.hasPositionTable {
        sum = zip(sum, row("position", position)).map { $0 + $1 }
      }
      x.append(sum)
    }
    let isUniform = configuration.paddingAttendsUniformly
    let isProjected = configuration.projectedSize != nil
    if isProjected, configuration.projectsFirst { x = linear(x, "embeddings_project") }
    if configuration.hasEmbeddingNorm { x = norm(x, "embeddings") }
    if isProjected, !configuration.projectsFirst { x = linear(x, "embeddings_project") }
    for index in sequence.attendedCount..<sequence.count where isUniform {
      x[index] = x[index].map { _ in 0 }
    }
    return (0..<configuration.blockCount).map { index in
      let before = x
      x = block(x, index, sequence.attendedCount)
      if index == 0, let convolution = configuration.convolution {
        let added = convolved(before, convolution)
        x = norm(add(x, added), "encoder.convolution")
        for index in sequence.attendedCount..<sequence.count { x[index] = x[index].map { _ in 0 } }
      }
      guard configuration.isPreNorm, index == configuration.blockCount - 1 else { return x }
      return norm(x, "encoder")
    }
  }

  private func convolved(_ x: Rows, _ convolution: ModelConfiguration.Convolution) -> Rows {
    let (size, columns) = (convolution.size, configuration.hiddenSize)
    let kernel = weights["encoder.convolution.weight"]!
    let bias = weights["encoder.convolution.bias"]!
    return x.indices.map { row in
      (0..<columns).map { output in
        var sum = bias[output]
        for place in 0..<size {
          let other = row + place - size / 2
          guard x.indices.contains(other) else { continue }
          for input in 0..<columns {
            sum += kernel[(output * columns + input) * size + place] * x[other][input]
          }
        }
        return tanh(sum)
      }
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

  private func block(_ x: Rows, _ index: Int, _ attended: Int) -> Rows {
    let name = "encoder.layer.\(configuration.blockSet(of: index))"
    guard configuration.isPreNorm else {
      let context = attention(x, index, name, attended)
      var middle = norm(
        add(linear(context, "\(name).attention.output.dense"), x), "\(name).attention.output")
      if configuration.hasSecondAttentionResidual {
        middle = norm(add(middle, x), "\(name).attention.sum")
      }
      return norm(add(feedForward(middle, name), middle), "\(name).output")
    }
    let hasNorm = index > 0 || configuration.hasFirstNorm
    let context = attention(
      hasNorm ? norm(x, "\(name).attention") : x, index, name, attended)
    let middle = add(linear(context, "\(name).attention.output.dense"), x)
    return add(feedForward(norm(middle, "\(name).intermediate"), name), middle)
  }

  private func feedForward(_ x: Rows, _ name: String) -> Rows {
    var inner = linear(x, "\(name).intermediate.dense")
    if configuration.isGated {
      let gates = linear(x, "\(name).intermediate.gate").map { $0.map(activation) }
      inner = zip(inner, gates).map { zip($0, $1).map { $0 * $1 } }
    } else {
      inner = inner.map { $0.map(activation) }
    }
    return linear(inner, "\(name).output.dense")
  }

  private func attention(_ x: Rows, _ block: Int, _ name: String, _ attended: Int) -> Rows {
    let kind = configuration.attention(of: block)
    let q = projected(x, "\(name).attention.self.query", kind)
    let k = projected(x, "\(name).attention.self.key", kind)
    let v = linear(x, "\(name).attention.self.value")
    let headSize = configuration.headSize
    let sharing = configuration.headCount / configuration.keyValueHeadCount
    let bias = weights["encoder.relative_attention_bias.weight"]
    let relative = configuration.disentangled.map { disentangled in
      let size = configuration.hiddenSize
      let table = weights["encoder.relative_embeddings.weight"]!
      var rows = (0..<disentangled.rowCount).map { Array(table[$0 * size..<($0 + 1) * size]) }
      if disentangled.hasNorm { rows = norm(rows, "encoder.relative") }
      let layer = "\(name).attention.self.\(disentangled.sharesLayers ? "" : "relative_")"
      return (
        row: disentangled.row,
        keys: disentangled.hasKeys ? linear(rows, "\(layer)key") : nil,
        queries: disentangled.hasQueries ? linear(rows, "\(layer)query") : nil
      )
    }
    func dot(_ x: [Double], _ first: Int, _ y: [Double], _ second: Int) -> Double {
      (0..<headSize).reduce(0) { $0 + x[first + $1] * y[second + $1] }
    }
    return q.enumerated().map { place, query in
      if configuration.paddingAttendsUniformly, place >= attended {
        return v[0].indices.map { column in v.reduce(0) { $0 + $1[column] } / Double(v.count) }
      }
      return (0..<configuration.headCount).flatMap { head -> [Double] in
        let own = head * headSize
        let shared = head / sharing * headSize
        let scores = k[..<attended].enumerated().map { index, key in
          if let window = kind.window, abs(index - place) >= window { return -Double.infinity }
          var score = dot(query, own, key, shared)
          if let relative {
            let row = relative.row(index - place)
            if let keys = relative.keys { score += dot(query, own, keys[row], own) }
            if let queries = relative.queries { score += dot(key, own, queries[row], own) }
          }
          let bucket = RelativeBias.bucket(distance: index - place)
          return score / Double(headSize * configuration.scoreTerms).squareRoot()
            + (bias?[bucket * configuration.headCount + head] ?? 0)
            - (configuration.hasLinearBias ? slope(head) * Double(abs(index - place)) : 0)
        }
        let largest = scores.max()!
        // Without any key the result is 0.
        guard largest.isFinite else { return Array(repeating: 0, count: headSize) }
        let numerators = scores.map { exp($0 - largest) }
        let sum = numerators.reduce(0, +)
        return (0..<headSize).map { column in
          zip(numerators, v).reduce(0.0) { $0 + $1.0 / sum * $1.1[shared + column] }
        }
      }
    }
  }

  /// Queries or keys, as scores have them.
  private func projected(
    _ x: Rows, _ name: String, _ kind: ModelConfiguration.BlockAttention
  ) -> Rows {
    let rows = linear(x, name)
    return turned(configuration.normsQueriesAndKeys ? norm(rows, name) : rows, kind)
  }

  /// ALiBi's: 2^-(8 / n) to the power of the head's number, for as many heads as a power of two has, and
  /// between these for the rest.
  private func slope(_ head: Int) -> Double {
    let power = Int(exp2(floor(log2(Double(configuration.headCount)))))
    let number = head < power ? Double(head + 1) : Double(head - power) + 0.5
    return exp2(-8 * number / Double(power))
  }

  /// Rotary positions as the paper has them, in the order of columns of Hugging Face's models.
  private func turned(_ x: Rows, _ kind: ModelConfiguration.BlockAttention) -> Rows {
    guard let rotary = kind.rotary else { return x }
    let (size, half) = (configuration.headSize, configuration.headSize / 2)
    return x.enumerated().map { position, row in
      row.indices.map { index in
        let column = index % size
        let angle =
          Double(position) * pow(rotary.theta, -2 * Double(column % half) / Double(size))
        return row[index] * cos(angle)
          + (column < half ? -row[index + half] : row[index - half]) * sin(angle)
      }
    }
  }

  private func activation(_ x: Double) -> Double {
    switch configuration.activation {
    case .geluErf: 0.5 * x * (1 + erf(x / 2.0.squareRoot()))
    case .geluTanh: 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .relu: max(0, x)
    case .silu: x / (1 + exp(-x))
    }
  }

  private func linear(_ x: Rows, _ name: String) -> Rows {
    let weight = weights["\(name).weight"]!
    let bias = weights["\(name).bias"]
    let inputs = x[0].count
    return x.map { row in
      (0..<weight.count / inputs).map { output in
        var sum = bias?[output] ?? 0
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
    let shift = weights["\(name).LayerNorm.bias"]
    return x.map { row in
      let mean =
        configuration.isRootMeanSquareNorm ? 0 : row.reduce(0, +) / Double(row.count)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
      let factor = 1 / (variance + configuration.layerNormEpsilon).squareRoot()
      return row.indices.map { (row[$0] - mean) * factor * scale[$0] + (shift?[$0] ?? 0) }
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
