import Checkpoints
import EncoderContract
import HTTP
import JSON
import Tokenizers

@testable import Checkpoints
@testable import HTTP
@testable import HTTPClient
@testable import JSON

/// Bytes on a connection: the same answers however they are cut, and an answer before a close.
///
/// The first byte says how the rest is cut.
func fuzzConnection(_ bytes: [UInt8]) {
  guard let seed = bytes.first else { return }
  let stream = Array(bytes.dropFirst())
  var whole = MachineHarness()
  whole.feed(stream)
  var cut = MachineHarness()
  var position = 0
  var length = Int(seed) % 7 + 1
  while position < stream.count {
    let end = min(stream.count, position + length)
    cut.feed(Array(stream[position..<end]))
    cut.ready(readable: true)
    position = end
    length = (length * 5 + Int(seed)) % 61 + 1
  }
  // Past some pauses.
  for _ in 0..<4 {
    whole.pass(.milliseconds(500))
    cut.pass(.milliseconds(500))
  }
  require(whole.output == cut.output, "the cut changes the answers")
  require(hasAnswer(whole.output) || !whole.isClosed, "closed without an answer")
}

/// Whether an answer follows the interim ones. Its body is not looked for: one to HEAD has none.
private func hasAnswer(_ output: [UInt8]) -> Bool {
  var bytes = output
  while let response = RawResponse.take(from: &bytes, isHead: true) {
    if response.status >= 200 { return true }
  }
  return false
}

/// What a service answers to `encode --server`: at once, and in pieces of a size that the first byte
/// says.
func fuzzAnswer(_ bytes: [UInt8]) {
  guard let first = bytes.first else { return }
  let whole = answer(bytes.dropFirst(), by: bytes.count)
  // What stands behind a body is seen only where it comes along with it.
  if case .failure(Answer.Malformed("Content-Length")) = whole { return }
  require(answer(bytes.dropFirst(), by: Int(first) + 1) == whole, "pieces make a difference")
}

private func answer(_ bytes: ArraySlice<UInt8>, by size: Int) -> Result<Answer?, Answer.Malformed> {
  Result { () throws(Answer.Malformed) in
    var reader = AnswerReader()
    var rest = bytes
    while !rest.isEmpty {
      reader.append(rest.prefix(size))
      rest = rest.dropFirst(size)
      if let answer = try reader.next(limit: 1000) { return answer }
    }
    try reader.end()
    return nil
  }
}

func fuzzTarget(_ bytes: [UInt8]) {
  let text = String(decoding: bytes, as: UTF8.self)
  guard let target = try? RequestTarget(text), !target.isAsterisk else { return }
  require(!target.components.contains { $0.isEmpty }, "an empty part of a path")
}

/// What parses is written, and read back as the same value.
func fuzzJSON(_ bytes: [UInt8]) {
  guard let value = try? JSONParser.parse(bytes) else { return }
  var writer = JSONWriter()
  writer.value(value)
  require((try? JSONParser.parse(writer.takeBytes())) == value, "it reads back differently")
}

/// What decodes is the text of exactly one byte string.
func fuzzBase64(_ bytes: [UInt8]) {
  var text: [UInt8] = []
  Base64.encode(bytes.span, to: &text)
  require((try? Base64.decode(text.span)) == bytes, "encoded bytes do not come back")
  guard let decoded = try? Base64.decode(bytes.span) else { return }
  var again: [UInt8] = []
  Base64.encode(decoded.span, to: &again)
  require(again == bytes, "two texts of the same bytes")
}

/// Each float's text is read back as that float, whatever the bits.
func fuzzFloat(_ bytes: [UInt8]) {
  var values: [Float] = []
  for start in stride(from: 0, to: bytes.count - 3, by: 4) {
    let bits = bytes[start..<start + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    let value = Float(bitPattern: bits)
    if value.isFinite { values.append(value) }
  }
  var text: [UInt8] = []
  FloatWriter.appendArray(values.span, to: &text)
  let parts = String(decoding: text.dropFirst().dropLast(), as: UTF8.self).split(separator: ",")
  require(
    parts.map { Float($0)?.bitPattern } == values.map(\.bitPattern), "a float does not come back")
}

/// What is inflated stays below the limit; what we compress comes back.
func fuzzGzip(_ bytes: [UInt8]) {
  let limit = 1 << 20
  for coding in [ContentCoding.gzip, .deflate] {
    guard let body = try? coding.decode(bytes, limit: limit, reserve: { _ in true }) else {
      continue
    }
    require(body.count <= limit, "\(body.count) bytes of at most \(limit)")
  }
  guard let packed = GzipEncoder()?.encode(bytes, .end) else { return }
  require(
    (try? ContentCoding.gzip.decode(packed, limit: bytes.count, reserve: { _ in true })) == bytes,
    "compressed bytes do not come back")
}

/// The first four bytes are the size that the data is said to have.
func fuzzSafetensors(_ bytes: [UInt8]) {
  guard bytes.count >= 4 else { return }
  let size = bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
  guard
    let entries = try? SafetensorsHeader.entries(
      of: Array(bytes.dropFirst(4)), path: "fuzz", start: 8, dataSize: size)
  else { return }
  var end = 0
  for entry in entries {
    require(entry.dataOffsets.lowerBound == end, "a hole or an overlap")
    end = entry.dataOffsets.upperBound
  }
  require(end == size, "bytes that no tensor has")
}

private let tokenizer: Tokenizer = {
  let pieces = "a b c d e ##a ##b ##c ##d ##e ab ##cd . , ! 中 é".split(separator: " ")
  let names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
  let lines = (names + pieces.map(String.init)).joined(separator: "\n")
  guard let vocabulary = try? Vocabulary(lines: Array(lines.utf8)),
    let tokenizer = try? Tokenizer(vocabulary: vocabulary)
  else { fatalError("no words") }
  return tokenizer
}()

/// Any text gives tokens with sources in order and in bounds, and cutting keeps to the limit.
func fuzzTokenizer(_ bytes: [UInt8]) {
  let text = String(decoding: bytes, as: UTF8.self)
  guard
    let all = try? tokenizer.tokenize(
      .single(text), maxTokens: 1 << 20, truncation: .right, padTo: nil, withSources: true)
  else { fatalError("a text is refused") }
  let length = text.utf8.count
  var start = 0
  for case .some(let source) in all.sources {
    require(
      source.bytes.lowerBound >= start && source.bytes.upperBound <= length, "sources run back")
    start = source.bytes.lowerBound
  }
  let limit = 2 + bytes.count % 9
  guard let cut = try? tokenizer.tokenize(.single(text), maxTokens: limit) else {
    fatalError("a text is refused")
  }
  require(cut.sequence.count == min(limit, all.sequence.count), "the limit is not kept")
  require(cut.truncated == (all.sequence.count > limit), "the cut is not told")
}
