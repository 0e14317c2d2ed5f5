public import BERT
import Checkpoints
public import EncoderContract
import JSON

/// What each precision costs and gives on this machine: a model's speed, and how its answers differ from float32's.
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
      "\(Int(speed.tokensPerSecond)) (\(Self.decimals(speed.tokensPerSecond / exact.tokensPerSecond, 2)) x)"
    }
    let cosines = row.cosines.map { cosine in
      "\(Self.decimals(cosine.values.mean, 6)) (worst \(Self.decimals(cosine.values.min() ?? 0, 6)))"
    }
    return [
      row.encoder.precision.rawValue, row.encoder.kernelSet,
      "\(Self.decimals(Double(row.encoder.weightBytes) / 1e6, 1)) MB",
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

  static func decimals(_ value: Double, _ places: Int) -> String {
    guard value.isFinite else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let digits = String(Int((abs(value) * scale).rounded()))
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    return (value < 0 ? "-" : "") + padded.dropLast(places) + "." + padded.suffix(places)
  }
}

extension [Double] {
  fileprivate var mean: Double { reduce(0, +) / Double(count) }
}

/// Texts to compare precisions by, where the user has none: sentences and paragraphs of many subjects.
public let sampleTexts = [
  "Where can I change the address that my order is sent to?",
  "The train to the airport leaves every twenty minutes from platform four.",
  "Photosynthesis turns carbon dioxide and water into sugar with the energy of light.",
  "I have been waiting for a refund since March and nobody answers my messages.",
  "A hash table finds a value by its key in constant time on average.",
  "The committee will vote on the new budget after the summer break.",
  "Add the onions and let them soften slowly, then stir in the tomatoes and a pinch of salt.",
  "Who wrote the first novel that was printed with movable type?",
  "Interest rates rose by a quarter of a percent, more than analysts had expected.",
  "This phone's battery does not last a day, but its camera is the best I have ever used.",
  "The patient was given antibiotics and sent home after two nights in hospital.",
  "Glaciers in the region have lost a third of their ice within fifty years, and rivers that farmers depend on "
    + "carry less water each summer.",
  "def area(width, height): return width * height",
  "The defendant shall pay the costs of the proceedings.",
  "Two goals in the last five minutes turned the match.",
  "To reset the device, hold the power button for ten seconds until the light blinks twice.",
  "Mozart had written three symphonies before he was ten years old.",
  "What is the difference between a virus and a bacterium?",
  "Ships that pass through the canal save a voyage of some nine thousand kilometres round the cape.",
  "Meeting moved to 3 pm, same room; please bring the printed figures.",
  "Supply chains were interrupted again when the port closed for a week because of the storm.",
  "Her grandmother taught her to knit, and she still has the first scarf.",
  "Cheap flights to Lisbon in October",
  "An electron's position and momentum cannot both be known exactly, however good the instruments are.",
]
