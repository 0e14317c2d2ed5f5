import EncoderContract
import JSON
public import Tokenizers

/// What accompanies an encode, on one thread: reading the body, tokenizing, writing numbers.
public struct BenchPath {
  private let texts: [String]
  private let tokenizer: Tokenizer
  private let maxTokens: Int
  private let rounds: Int

  public init(texts: [String], tokenizer: Tokenizer, maxTokens: Int, rounds: Int) {
    self.texts = texts
    self.tokenizer = tokenizer
    self.maxTokens = maxTokens
    self.rounds = rounds
  }

  /// A part, what is counted, its count a second.
  public struct Speed {
    public let part: String
    public let unit: String
    public let perSecond: Double
  }

  /// - Parameter vectors: what is written as numbers, as an answer of `encoder_outputs` is.
  public func measure(vectors: [[Float]]) throws -> [Speed] {
    var body = JSONWriter()
    body.beginArray()
    for text in texts { body.string(text) }
    body.endArray()
    let bytes = Double(texts.reduce(0) { $0 + $1.utf8.count })
    let tokens = try texts.reduce(0) { try $0 + tokenize($1).sequence.count }
    let numbers = Double(vectors.reduce(0) { $0 + $1.count })
    let raw = vectors.map { vector in unsafe vector.withUnsafeBytes { unsafe Array($0) } }
    let tokenizing = try seconds { for text in texts { _ = try tokenize(text) } }
    var output: [UInt8] = []
    return [
      Speed(
        part: "JSON body", unit: "bytes of text",
        perSecond: try bytes / seconds { _ = try JSONParser.parse(body.bytes.span) }),
      Speed(part: "tokenizer", unit: "bytes of text", perSecond: bytes / tokenizing),
      Speed(part: "tokenizer", unit: "tokens", perSecond: Double(tokens) / tokenizing),
      Speed(
        part: "numbers as JSON", unit: "float32 numbers",
        perSecond: numbers
          / seconds {
            output.removeAll(keepingCapacity: true)
            for vector in vectors { FloatWriter.appendArray(vector.span, to: &output) }
          }),
      Speed(
        part: "numbers as base64", unit: "float32 numbers",
        perSecond: numbers
          / seconds {
            output.removeAll(keepingCapacity: true)
            for vector in raw { Base64.encode(vector.span, to: &output) }
          }),
    ]
  }

  private func tokenize(_ text: String) throws -> Tokenization {
    try tokenizer.tokenize(.single(text), maxTokens: maxTokens)
  }

  /// The median of the rounds, each at least 50 ms long.
  private func seconds(_ body: () throws -> Void) rethrows -> Double {
    try body()
    var times: [Double] = []
    for _ in 0..<max(1, rounds) {
      let start = ContinuousClock.now
      var count = 0
      var time = 0.0
      repeat {
        try body()
        count += 1
        time = (ContinuousClock.now - start) / .seconds(1)
      } while time < 0.05
      times.append(time / Double(count))
    }
    return times.median
  }
}

extension BenchPath.Speed {
  /// Cells of a table: `rate` in millions a second, and the time of one.
  public var cells: [String] {
    let rate = (perSecond / 1e4).rounded() / 100
    return ["\(part), one thread", "\(rate) million \(unit)/s, \(Int(1e9 / perSecond)) ns each"]
  }

  public var json: String {
    var writer = JSONWriter()
    writer.beginObject()
    for (name, value) in ["part": part, "unit": unit] as KeyValuePairs {
      writer.key(name)
      writer.string(value)
    }
    writer.key("per_second")
    writer.double(perSecond)
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
