import Bulk
import Dispatch
import EncoderContract
import Glibc
import HTTPClient
import JSON
import Synchronization
import Tokenizers
import UntrustedInput

/// Has records encoded by a service, some requests at a time; what it refuses for now is asked again.
struct RemoteRecordEncoder: RecordEncoder {
  private static let textsPerRequest = 32
  /// Some fifty seconds in all, or what the service says.
  private static let attempts = 10
  /// Bytes of an answer without numbers.
  private static let maxPlainAnswerBytes = 1 << 20
  private static let maxAnswerBytesOfRequest = 4 << 30

  let client: HTTPClient
  let concurrency: Int
  /// The query of every request.
  let query: String
  let columns: [Column]
  /// Rows that a text may have in the answer.
  let rowCounts: ClosedRange<Int>

  /// Bytes that an answer to a full request may have: its numbers in Base64, four bytes as 5⅓.
  private var maxAnswerBytes: Int {
    let numbers = columns.reduce(0) {
      $0 + $1.width * ($1.hasRowPerToken ? rowCounts.upperBound : 1)
    }
    // The sizes are the service's word, so that there is a limit whatever it says.
    return min(
      Self.maxPlainAnswerBytes + 6 * numbers * Self.textsPerRequest, Self.maxAnswerBytesOfRequest)
  }

  /// Enough for all requests to be on their way while the slowest is waited for.
  var windowSize: Int { 4 * concurrency * Self.textsPerRequest }

  func encode(
    _ inputs: [TokenizerInput]
  ) throws(BulkError) -> [Result<[EncodedRecord], BadRecord>] {
    let size = Self.textsPerRequest
    let count = (inputs.count + size - 1) / size
    let next = Mutex(0)
    let answers = Mutex([Int: [Result<EncodedRecord, BadRecord>]]())
    let failure = Mutex<BulkError?>(nil)
    let workers = DispatchGroup()
    for worker in 0..<min(concurrency, count) {
      // Requests block: each worker is a serial queue, which has a thread of its own.
      DispatchQueue(label: "bert-server.request.\(worker)").async(group: workers) {
        while true {
          let index = next.withLock { next in
            defer { next += 1 }
            return next
          }
          guard index < count, failure.withLock({ $0 == nil }) else { return }
          let part = Array(inputs[index * size..<min(inputs.count, (index + 1) * size)])
          do throws(BulkError) {
            let results = try request(part)
            answers.withLock { $0[index] = results }
          } catch {
            failure.withLock { $0 = error }
          }
        }
      }
    }
    workers.wait()
    if let failure = failure.withLock({ $0 }) { throw failure }
    return answers.withLock { answers in
      (0..<count).flatMap { answers[$0] ?? [] }.map { $0.map { [$0] } }
    }
  }

  private func request(
    _ inputs: [TokenizerInput]
  ) throws(BulkError) -> [Result<EncodedRecord, BadRecord>] {
    var body = JSONWriter()
    body.beginObject()
    body.key("inputs")
    body.beginArray()
    for input in inputs { Self.write(input, to: &body) }
    body.endArray()
    body.endObject()
    let answer = try ask("POST", "/encode?" + query, body: body.bytes)
    switch answer.status {
    case 200: return try records(answer.body, count: inputs.count)
    case 400, 413, 422:
      // One bad text, or too much at once: asked for one by one, it shows which.
      guard inputs.count == 1 else {
        var results: [Result<EncodedRecord, BadRecord>] = []
        for input in inputs { results += try request([input]) }
        return results
      }
      return [.failure(BadRecord(Self.message(answer)))]
    default: throw BulkError("the service answers \(answer.status): \(Self.message(answer))")
    }
  }

  /// Asks again while there is no answer, or one that says later.
  func ask(_ method: String, _ path: String, body: [UInt8] = []) throws(BulkError)
    -> Answer
  {
    var wait = 0.1
    for attempt in 1...Self.attempts {
      let answer: Answer?
      do throws(HTTPClientError) {
        answer = try client.ask(method, path, body: body, maxAnswerBytes: maxAnswerBytes)
      } catch {
        throw BulkError(error.description)
      }
      if let answer, ![429, 500, 502, 503, 504].contains(answer.status) { return answer }
      guard attempt < Self.attempts else {
        throw BulkError(
          answer.map { "the service answers \($0.status): \(Self.message($0))" }
            ?? "the service at \(client.authority) does not answer")
      }
      let asked = answer?.fields["retry-after"].flatMap { Untrusted<UInt64>($0.string) }
      let retryAfter = asked.map { Double($0.within(0...30) ?? 30) } ?? 0
      usleep(UInt32(max(wait, retryAfter) * 1e6))
      wait = min(30, wait * 2)
    }
    throw BulkError("the service does not answer")
  }

  private static func write(_ input: TokenizerInput, to body: inout JSONWriter) {
    switch input {
    case .single(let text): body.string(text)
    case .pair(let first, let second):
      body.beginArray()
      body.string(first)
      body.string(second)
      body.endArray()
    case .words(let words): body.string(words.joined(separator: " "))
    }
  }

  static func message(_ answer: Answer) -> String {
    if case .string(let message)? = (try? JSONParser.parse(answer.body))?["error"] {
      return message
    }
    return String(decoding: answer.body.prefix(200), as: UTF8.self)
  }

  // MARK: - The answer

  private func records(
    _ body: [UInt8], count: Int
  ) throws(BulkError) -> [Result<EncodedRecord, BadRecord>] {
    guard let answer = try? JSONParser.parse(body), let outputs = answer["outputs"],
      case .array(let lengths)? = answer["lengths"], lengths.count == count,
      case .array(let truncated)? = answer["truncated"], truncated.count == count
    else { throw Self.strange }
    var results: [Result<EncodedRecord, BadRecord>] = []
    for index in 0..<count {
      var sequence = EncodedSequence(rowCount: 0)
      // Blocks come in the order in which they were asked for.
      var layer = 0
      for column in columns {
        guard case .array(let items)? = outputs[column.key.rawValue],
          column.key == .encoderOutputs || items.count == count
        else { throw Self.strange }
        let values: [Float]
        if column.key == .encoderOutputs {
          guard layer < items.count, case .array(let texts) = items[layer], texts.count == count
          else { throw Self.strange }
          values = try Self.floats(texts, index)
          layer += 1
        } else {
          values = try Self.floats(items, index)
        }
        switch column.source {
        case .entry: sequence[column.key] = values
        case .block(let block): sequence.blocks[block] = values
        }
        if !column.hasRowPerToken {
          guard values.count == column.width else { throw Self.strange }
        } else {
          let (rows, rest) = values.count.quotientAndRemainder(dividingBy: column.width)
          guard rest == 0, rowCounts ~= rows, [0, rows].contains(sequence.rowCount) else {
            throw Self.strange
          }
          sequence.rowCount = rows
        }
      }
      guard case .integer(let claimed) = lengths[index],
        let length = claimed.within(
          1...(sequence.rowCount == 0 ? rowCounts.upperBound : sequence.rowCount))
      else { throw Self.strange }
      if sequence.rowCount == 0 { sequence.rowCount = length }
      results.append(
        .success(
          EncodedRecord(
            sequence: sequence, tokenCount: length,
            truncated: truncated[index] == .boolean(true))))
    }
    return results
  }

  private static let strange = BulkError("the service's answer is not one of bert-server's /encode")

  private static func floats(_ items: [JSONValue], _ index: Int) throws(BulkError) -> [Float] {
    guard index < items.count, case .string(let text) = items[index],
      let bytes = try? Base64.decode(Array(text.utf8).span), bytes.count % 4 == 0
    else { throw strange }
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      var bits: UInt32 = 0
      for byte in bytes[start..<start + 4].reversed() { bits = bits << 8 | UInt32(byte) }
      return Float(bitPattern: bits)
    }
  }
}
