import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import Serving
import Tokenizers

/// The answer of `/tokenize`: a list of tokens a text, written piece by piece as the client takes it.
struct TokenizedTexts {
  private struct Text: Sendable {
    let bytes: [UInt8]
    let tokens: Tokenization
  }

  private let model: ServedModel
  private let hasSpecialTokens: Bool
  private var texts: [Text] = []
  /// Of the answer, about.
  private var answerBytes = 2

  /// Tokens that are written at a time.
  private static let tokensOfPiece = 128

  init(hasSpecialTokens: Bool, of model: ServedModel) {
    self.hasSpecialTokens = hasSpecialTokens
    self.model = model
  }

  /// - Throws: `answerTooLarge` before the answer would be longer than the limit.
  mutating func append(
    _ text: String, for exchange: Exchange, maxAnswerBytes limit: Int
  ) throws(ServiceError) {
    let bytes = Array(text.utf8)
    let room = (limit - answerBytes - bytes.count) / AnswerSize.bytesOfToken
    let tokens: Tokenization
    let reading = exchange.reading()
    do {
      tokens = try model.tokenizer.tokenize(
        .single(text), maxTokens: max(room, 2), truncation: .error, withSources: true,
        mayRead: { reading.mayRead($0) })
    } catch .cancelled {
      throw reading.failure
    } catch {
      throw .answerTooLarge(
        "the answer would be over the limit of \(limit) bytes (max_output_bytes); send less text")
    }
    try exchange.holdMore(bytes.count + AnswerSize.memory(of: tokens))
    answerBytes += bytes.count + tokens.sequence.count * AnswerSize.bytesOfToken
    texts.append(Text(bytes: bytes, tokens: tokens))
  }

  /// - Throws: `outOfMemoryBudget`
  func response(for exchange: Exchange) throws(ServiceError) -> Response {
    try exchange.holdMore(min(answerBytes, AnswerSource.memoryBytes))
    var pieces: [AnswerPiece] = []
    for (index, text) in texts.enumerated() {
      let count = text.tokens.sequence.count
      for start in stride(from: 0, to: max(count, 1), by: Self.tokensOfPiece) {
        let range = start..<min(start + Self.tokensOfPiece, count)
        pieces.append(
          AnswerPiece(
            prefix: Array((start > 0 ? "" : index > 0 ? ",[" : "[[").utf8),
            render: { [self] bytes in write(range, of: text, to: &bytes) },
            suffix: range.upperBound < count ? [] : [UInt8(ascii: "]")]))
      }
    }
    pieces[pieces.count - 1].suffix.append(UInt8(ascii: "]"))
    return AnswerCursor(pieces, .json).response(
      numbers: 0, otherBytes: answerBytes, fields: [.contentType: "application/json"])
  }

  /// `{"id","text","special","start","stop"}` each; the text is the token's part of the input, its
  /// place in UTF-8 bytes.
  private func write(_ range: Range<Int>, of text: Text, to bytes: inout [UInt8]) {
    // A text's tokens before a range of it are not all special.
    var needsComma = range.lowerBound > 0
    for position in range {
      let id = text.tokens.sequence.ids[position]
      let place = text.tokens.sources[position]?.bytes
      guard place != nil || hasSpecialTokens else { continue }
      var writer = JSONWriter()
      writer.token(
        id,
        place.map { String(decoding: text.bytes[$0], as: UTF8.self) }
          ?? model.tokenizer.vocabulary.token(id) ?? "", place)
      if needsComma { bytes.append(UInt8(ascii: ",")) }
      needsComma = true
      bytes += writer.bytes
    }
  }
}

extension JSONWriter {
  /// `{"id","text","special","start","stop"}`.
  mutating func token(_ id: Int32, _ text: String, _ place: Range<Int>?) {
    beginObject()
    key("id")
    integer(id)
    key("text")
    string(text)
    key("special")
    boolean(place == nil)
    key("start")
    if let place { integer(place.lowerBound) } else { null() }
    key("stop")
    if let place { integer(place.upperBound) } else { null() }
    endObject()
  }
}
