public import BERT
public import EncoderContract
import JSON

/// What was measured of one shape, a round each.
public struct BenchSpeed {
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

  var tokensPerSecond: Double { Double(tokens) / times.median }

  /// The roofline: no less time than all operations at the peak, nor than reading the weights.
  private var bounds: [Double] { zip(peaks, readings).map { max(operations / $0, $1) } }

  private var shares: [Double] { zip(times, peaks).map { operations / $0 / $1 } }

  /// Runs the shape's passes several times, and measures the machine before each.
  public init(of shape: BenchShape, on encoder: Encoder, rounds: Int) throws(EncodeError) {
    try self.init(warmedUp: shape, on: encoder)
    for _ in 0..<max(1, rounds) { try measure(shape, on: encoder) }
  }

  /// Nothing measured yet but the first passes.
  init(warmedUp shape: BenchShape, on encoder: Encoder) throws(EncodeError) {
    let batches = shape.batches(for: encoder)
    self.init(
      name: shape.name, tokens: batches.reduce(0) { $0 + $1.rowCount },
      operations: batches.reduce(0) { $0 + encoder.operations(of: $1) },
      firstTime: try Self.time(of: batches, on: encoder))
    for _ in 0..<2 { _ = try Self.time(of: batches, on: encoder) }
  }

  /// A round more, of the same shape on the same encoder.
  mutating func measure(_ shape: BenchShape, on encoder: Encoder) throws(EncodeError) {
    let batches = shape.batches(for: encoder)
    peaks.append(encoder.measurePeak())
    readings.append(encoder.measureReading() * Double(batches.count))
    // Three rounds are as long as `time_engine.py` times a peer: a single short pass says little.
    var times: [Double] = []
    repeat { times.append(try Self.time(of: batches, on: encoder)) } while times.reduce(0, +) < 0.2
    self.times.append(times.median)
  }

  private static func time(
    of batches: [PackedBatch], on encoder: Encoder
  ) throws(EncodeError) -> Double {
    let start = ContinuousClock.now
    for batch in batches { _ = try encoder.encodeAndWait(batch) }
    return (ContinuousClock.now - start) / .seconds(1)
  }

  init(name: String, tokens: Int, operations: Double, firstTime: Double) {
    self.name = name
    self.tokens = tokens
    self.operations = operations
    self.firstTime = firstTime
  }

  /// Cells of the table.
  public var cells: [String] {
    let time = times.median
    let range = [shares.min() ?? 0, shares.max() ?? 0].map { "\(Int($0 * 100))" }
    return [
      name, "\(Int(tokensPerSecond))", (time * 1e3).decimals(2),
      (bounds.median * 1e3).decimals(2),
      "\(Int(operations / time / 1e9))", "\(Int(peaks.median / 1e9))",
      "\(Int(shares.median * 100)) %  (\(range[0]) to \(range[1]))",
    ]
  }

  public func json(_ encoder: Encoder) -> String {
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
      "tokens_per_second": tokensPerSecond,
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
}

extension [Double] {
  /// The middle one, or the mean of the middle two; 0 of none.
  var median: Double {
    if isEmpty { return 0 }
    let sorted = sorted()
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
  }
}
