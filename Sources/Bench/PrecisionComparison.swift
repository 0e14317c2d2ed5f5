public import BERT
import Checkpoints
public import EncoderContract
import JSON

/// One model at several precisions: its memory, its speed on this machine, and the cosine of its answers with float32's.
public struct PrecisionComparison {
  /// One precision.
  public struct Row {
    let encoder: Encoder
    /// Of each shape.
    let speeds: [BenchSpeed]
    /// Of each text's answer with float32's, by what is compared.
    let cosines: [(name: String, values: [Double])]
  }

  public let rows: [Row]

  /// - Parameters:
  ///   - encoders: one of each precision, float32 first, on the same threads.
  ///   - texts: whose answers are compared.
  ///   - shapes: whose speed is measured, by all precisions in turn.
  ///   - rounds: measurements of each.
  /// - Throws: why a text has no answer.
  public init(
    of encoders: [Encoder], texts: BenchShape, shapes: [BenchShape], rounds: Int
  ) throws(EncodeError) {
    // A machine's speed changes: the precisions take turns in each round.
    var speeds = [[BenchSpeed]](repeating: [], count: encoders.count)
    for (place, shape) in shapes.enumerated() {
      for (index, encoder) in encoders.enumerated() {
        speeds[index].append(try BenchSpeed(warmedUp: shape, on: encoder))
      }
      for _ in 0..<max(1, rounds) {
        for (index, encoder) in encoders.enumerated() {
          try speeds[index][place].measure(shape, on: encoder)
        }
      }
    }
    var exact: [[[Float]]] = []
    var rows: [Row] = []
    for (index, encoder) in encoders.enumerated() {
      let keys = Self.keys(of: encoder)
      let answers = try Self.answers(to: texts, of: encoder, keys: keys)
      if index == 0 { exact = answers }
      let names = keys.isEmpty ? ["the first token's sequence_output"] : keys.map(\.rawValue)
      let cosines = names.indices.map { place in
        (names[place], zip(answers, exact).map { Self.cosine($0[place], $1[place]) })
      }
      rows.append(Row(encoder: encoder, speeds: speeds[index], cosines: cosines))
    }
    self.rows = rows
  }

  /// Keys of which a text has one vector.
  private static func keys(of encoder: Encoder) -> [OutputKey] {
    [OutputKey.pooledOutput, .sentenceEmbedding, .logits].filter { encoder.info.has($0) }
  }

  /// Text by text, a vector for each key, or the first token's if there is none.
  private static func answers(
    to texts: BenchShape, of encoder: Encoder, keys: [OutputKey]
  ) throws(EncodeError) -> [[[Float]]] {
    let last = encoder.configuration.blockCount - 1
    let selection =
      keys.isEmpty ? OutputSelection(blocks: BlockSet([last])) : OutputSelection(keys)
    var answers: [[[Float]]] = []
    for batch in texts.batches(selecting: selection) {
      for answer in try encoder.encodeAndWait(batch) {
        if let failure = answer.failure { throw failure }
        let firstToken = (answer.blocks[last] ?? []).prefix(encoder.configuration.hiddenSize)
        answers.append(keys.isEmpty ? [Array(firstToken)] : keys.map { answer[$0] })
      }
    }
    return answers
  }

  /// 1 of vectors that are the same, zeros too; 0 if one is zero.
  static func cosine(_ x: [Float], _ y: [Float]) -> Double {
    if x == y { return 1 }
    var (product, xx, yy) = (0.0, 0.0, 0.0)
    for (x, y) in zip(x, y) {
      product += Double(x) * Double(y)
      xx += Double(x) * Double(x)
      yy += Double(y) * Double(y)
    }
    return xx == 0 || yy == 0 ? 0 : product / (xx.squareRoot() * yy.squareRoot())
  }
}

extension PrecisionComparison {
  /// Cells of the table's head.
  public var head: [String] {
    guard let row = rows.first else { return [] }
    return ["precision", "kernels", "weights"] + row.speeds.map { "tokens/s, \($0.name)" }
      + row.cosines.map { "cosine of \($0.name)" }
  }

  /// Cells of a precision's line.
  public func cells(_ row: Row) -> [String] {
    let speeds = zip(row.speeds, rows[0].speeds).map { speed, exact in
      "\(Int(speed.tokensPerSecond)) (\((speed.tokensPerSecond / exact.tokensPerSecond).decimals(2)) x)"
    }
    let cosines = row.cosines.map { cosine in
      "\(cosine.values.mean.decimals(6)) (worst \((cosine.values.min() ?? 0).decimals(6)))"
    }
    return [
      row.encoder.precision.rawValue, row.encoder.kernelSet,
      "\(row.encoder.weightMegabytes) MB",
    ]
      + speeds + cosines
  }

  /// A precision as one JSON object.
  public func json(_ row: Row) -> String {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("precision")
    writer.string(row.encoder.precision.rawValue)
    writer.key("kernels")
    writer.string(row.encoder.kernelSet)
    writer.key("threads")
    writer.integer(row.encoder.threadCount)
    writer.key("weight_bytes")
    writer.integer(row.encoder.weightBytes)
    writer.key("tokens_per_second")
    writer.beginObject()
    for speed in row.speeds {
      writer.key(speed.name)
      writer.double(speed.tokensPerSecond)
    }
    writer.endObject()
    writer.key("cosine_with_float32")
    writer.beginObject()
    for cosine in row.cosines {
      writer.key(cosine.name)
      writer.beginObject()
      writer.key("mean")
      writer.double(cosine.values.mean)
      writer.key("worst")
      writer.double(cosine.values.min() ?? 0)
      writer.endObject()
    }
    writer.endObject()
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}

extension [Double] {
  fileprivate var mean: Double { reduce(0, +) / Double(count) }
}
