import BERT
import Checkpoints
import JSON
import Models
import OutputMap

/// Sequences whose encoding is measured.
struct BenchShape {
  let name: String
  let sequences: [TokenSequence]

  /// The passes, each through all blocks and all rows.
  func batches(for encoder: Encoder) -> [PackedBatch] {
    let last = OutputSelection(blocks: BlockSet([encoder.configuration.blockCount - 1]))
    var batches: [PackedBatch] = [PackedBatch()]
    for sequence in sequences {
      let rows = batches[batches.count - 1].rowCount
      if rows > 0, rows + sequence.count > Model.batchRows { batches.append(PackedBatch()) }
      batches[batches.count - 1].append(sequence, for: last)
    }
    return batches
  }

  /// One short text, longer ones, a rectangle, and lengths as sentences have them.
  static func fixed(positions: Int, vocabulary: Int) -> [BenchShape] {
    var random = SeededRandom(state: 42)
    func sequence(_ length: Int) -> TokenSequence { random.sequence(length, vocabulary) }
    var shapes = [16, 128, 512].filter { $0 <= positions }
      .map { BenchShape(name: "one text of \($0) tokens", sequences: [sequence($0)]) }
    shapes.append(
      BenchShape(name: "32 texts of 128", sequences: (0..<32).map { _ in sequence(128) }))
    // Lognormal by way of twelve uniform numbers: mean 29, most between 7 and 80.
    let lengths = (0..<256).map { _ in
      let normal = (0..<12).reduce(-6.0) { sum, _ in sum + random.unit() }
      var length = 22.0
      for _ in 0..<Int(abs(normal) * 16) { length *= normal > 0 ? 1.047 : 1 / 1.047 }
      return min(max(Int(length), 4), min(256, positions))
    }
    shapes.append(BenchShape(name: "256 mixed texts", sequences: lengths.map(sequence)))
    return shapes
  }
}

extension BenchShape {
  /// `1x16,32x128`: one sequence of 16 tokens, then 32 of 128.
  static func named(_ names: String, positions: Int, vocabulary: Int) throws -> [BenchShape] {
    var random = SeededRandom(state: 42)
    return try names.split(separator: ",").map { name in
      let numbers = name.split(separator: "x").map { Int($0) ?? 0 }
      guard numbers.count == 2, 1...65_536 ~= numbers[0], 1...positions ~= numbers[1] else {
        throw LoadingError(
          "--shapes takes COUNTxLENGTH,… of at most \(positions) tokens, not '\(name)'")
      }
      return BenchShape(
        name: "\(numbers[0]) x \(numbers[1])",
        sequences: (0..<numbers[0]).map { _ in random.sequence(numbers[1], vocabulary) })
    }
  }
}

/// A fixed sequence of numbers: every run measures the same (Knuth's MMIX constants).
private struct SeededRandom {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }

  mutating func sequence(_ length: Int, _ vocabulary: Int) -> TokenSequence {
    let ids = (0..<length).map { _ in Int32(next() % UInt64(vocabulary)) }
    return TokenSequence(ids: ids, typeIDs: Array(repeating: 0, count: length))
  }

  mutating func unit() -> Double { Double(next() % 1_000_000) / 1_000_000 }
}

/// What was measured of one shape, a round each.
struct BenchSpeed {
  let name: String
  let tokens: Int
  let operations: Double
  /// Seconds of the shape's first passes.
  let firstTime: Double
  /// Seconds of all passes of the shape.
  var times: [Double] = []
  /// Operations a second of the machine, just before.
  var peaks: [Double] = []
  /// Seconds of reading all blocks' weights once for each pass, just before.
  var readings: [Double] = []

  /// The roofline: no less time than all operations at the peak, nor than reading the weights.
  private var bounds: [Double] { zip(peaks, readings).map { max(operations / $0, $1) } }

  private var shares: [Double] { zip(times, peaks).map { operations / $0 / $1 } }

  /// Cells of the table.
  var cells: [String] {
    let time = times.median
    let range = [shares.min() ?? 0, shares.max() ?? 0].map { "\(Int($0 * 100))" }
    return [
      name, "\(Int(Double(tokens) / time))", Self.decimals(time * 1e3),
      Self.decimals(bounds.median * 1e3),
      "\(Int(operations / time / 1e9))", "\(Int(peaks.median / 1e9))",
      "\(Int(shares.median * 100)) %  (\(range[0]) to \(range[1]))",
    ]
  }

  func json(_ encoder: Encoder) -> String {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("shape")
    writer.string(name)
    writer.key("precision")
    writer.string(encoder.precision.rawValue)
    writer.key("kernels")
    writer.string(encoder.kernelSet)
    writer.key("threads")
    writer.integer(encoder.threadCount)
    writer.key("tokens")
    writer.integer(tokens)
    let figures: KeyValuePairs<String, Double> = [
      "first_seconds": firstTime, "seconds": times.median,
      "tokens_per_second": Double(tokens) / times.median,
      "flops": operations / times.median, "peak_flops": peaks.median,
      "reading_seconds": readings.median, "bound_seconds": bounds.median,
      "share": shares.median, "share_least": shares.min() ?? 0, "share_most": shares.max() ?? 0,
    ]
    for (name, value) in figures {
      writer.key(name)
      writer.double(value)
    }
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  private static func decimals(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
  }
}

extension [Double] {
  /// The middle one, or the upper of two; 0 of none.
  var median: Double { isEmpty ? 0 : sorted()[count / 2] }
}
