import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import TensorFormats
import Tokenizers

/// A map answer in the format asked for.
struct EncodeAnswer {
  let answer: MapAnswer
  let format: AnswerFormat
  let elements: ElementFormat
  let coding: AnswerCursor.Coding
  /// A bert-as-service client's, which gets what it looks for besides.
  let id: JSONValue?

  init(_ answer: MapAnswer, _ parameters: EncodeParameters, id: JSONValue? = nil) {
    self.answer = answer
    format = parameters.format
    elements = parameters.elements
    coding = parameters.coding
    self.id = id
  }

  private var keys: [OutputKey] { answer.request.keys }

  // MARK: - The response

  func response() -> Response {
    let fields: HTTPFields = [.contentType: format.contentType]
    let numbers = answer.numberCount
    guard format == .npy || format == .safetensors else {
      return AnswerCursor(objectPieces(), coding)
        .response(
          numbers: (id == nil ? 1 : 2) * numbers,
          otherBytes: (answer.request.wantsTokens ? answer.tokenCount * AnswerSize.bytesOfToken : 0)
            + predictionCount * AnswerSize.bytesOfPrediction,
          fields: fields)
    }
    let head = format == .npy ? npyHead() : safetensorsHead()
    var pieces = [AnswerPiece(prefix: head)] + keys.flatMap(answer.pieces)
    if predictionCount > 0 {
      pieces += answer.results.map { result in
        AnswerPiece(render: { bytes in
          for id in result.predicted.ids {
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * $0)) }
          }
        })
      }
    }
    return AnswerCursor(pieces, coding).response(
      numbers: numbers, fields: fields,
      length: head.count + numbers * elements.size + predictionCount * 4)
  }

  private var predictionCount: Int {
    answer.request.predictionCount(tokens: answer.tokenCount)
  }

  /// The JSON object, without a line end.
  func objectPieces() -> [AnswerPiece] {
    var head = JSONWriter()
    head.beginObject()
    head.key("model")
    head.string(answer.model.name)
    if let id {
      head.key("id")
      head.value(id)
      head.key("status")
      head.integer(200)
    }
    var prefix = head.bytes
    var pieces: [AnswerPiece] = []
    if id != nil {
      pieces = answer.nestedPieces(of: keys[0], prefix: prefix + Array(",\"result\":".utf8))
      prefix = []
    }
    prefix += Array(",\"outputs\":{".utf8)
    for (index, key) in keys.enumerated() {
      prefix += Array((index == 0 ? "\"" : ",\"").utf8) + Array(key.rawValue.utf8)
      pieces += answer.nestedPieces(of: key, prefix: prefix + Array("\":".utf8))
      prefix = []
    }
    return pieces + tail()
  }

  /// What follows the numbers: shapes, lengths, truncation and, if asked for, the tokens.
  private func tail() -> [AnswerPiece] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("shapes")
    writer.beginObject()
    for key in keys {
      writer.key(key.rawValue)
      writer.beginArray()
      for size in answer.shape(of: key) {
        if let size { writer.integer(size) } else { writer.null() }
      }
      writer.endArray()
    }
    writer.endObject()
    writer.key("lengths")
    writer.beginArray()
    for text in answer.texts { writer.integer(text.sequence.attendedCount) }
    writer.endArray()
    writer.key("truncated")
    writer.beginArray()
    for text in answer.texts { writer.boolean(text.truncated) }
    writer.endArray()
    // The object was opened long before: its "{" is replaced by the end of "outputs".
    let head = Array("},".utf8) + writer.bytes.dropFirst()
    let vocabulary = answer.model.tokenizer.vocabulary
    var pieces = [AnswerPiece(prefix: head)]
    if answer.request.wantsTokens {
      pieces += list("tokens", of: answer.texts) { $0.write(to: &$1, vocabulary) }
    }
    if predictionCount > 0 {
      let count = answer.request.width(of: .mlmLogits)
      pieces += list("mlm_tokens", of: answer.results) {
        $0.predicted.write(to: &$1, count, vocabulary)
      }
    }
    pieces[pieces.count - 1].suffix.append(UInt8(ascii: "}"))
    return pieces
  }

  /// A member of the object, after others: a list with an item a text, each written when its turn comes.
  private func list<Item: Sendable>(
    _ name: String, of items: [Item],
    _ write: @escaping @Sendable (Item, inout JSONWriter) -> Void
  ) -> [AnswerPiece] {
    var pieces = items.map { item in
      AnswerPiece(
        prefix: [UInt8(ascii: ",")],
        render: { bytes in
          var writer = JSONWriter()
          write(item, &writer)
          bytes += writer.bytes
        })
    }
    pieces[0].prefix = Array(",\"\(name)\":[".utf8)
    pieces[pieces.count - 1].suffix = [UInt8(ascii: "]")]
    return pieces
  }

  // MARK: - Binary heads

  private func npyHead() -> [UInt8] {
    TensorHead.npy(shape: answer.shape(of: keys[0]).compactMap(\.self), elements)
  }

  private func safetensorsHead() -> [UInt8] {
    var entries = keys.map { key in
      TensorHead.Entry(
        name: key.rawValue, shape: answer.shape(of: key).compactMap(\.self), elements)
    }
    if predictionCount > 0 {
      entries.append(
        TensorHead.Entry(
          name: "mlm_ids", type: "I32", shape: answer.shape(of: .mlmLogits).compactMap(\.self),
          size: 4 * predictionCount))
    }
    return TensorHead.safetensors(
      entries,
      metadata: [
        "model": answer.model.name,
        "lengths": answer.texts.map { String($0.sequence.attendedCount) }.joined(separator: ","),
        "truncated": answer.texts.map { $0.truncated ? "true" : "false" }.joined(separator: ","),
      ])
  }
}

extension PredictedTokens {
  /// `[[{"id","token"}, …], …]`, a list a row; a row of the model may stand for no token.
  fileprivate func write(to writer: inout JSONWriter, _ count: Int, _ vocabulary: Vocabulary) {
    writer.beginArray()
    for row in rows.indices {
      writer.beginArray()
      for id in ids[row * count..<(row + 1) * count] {
        writer.beginObject()
        writer.key("id")
        writer.integer(id)
        writer.key("token")
        if let token = vocabulary.token(id) { writer.string(token) } else { writer.null() }
        writer.endObject()
      }
      writer.endArray()
    }
    writer.endArray()
  }
}

extension Tokenization {
  /// `[{"id","text","special","start","stop"}, …]`, padding left out; bytes of the text.
  func write(to writer: inout JSONWriter, _ vocabulary: Vocabulary) {
    writer.beginArray()
    for position in 0..<sequence.attendedCount {
      let id = sequence.ids[position]
      writer.token(id, vocabulary.token(id) ?? "", sources[position]?.bytes)
    }
    writer.endArray()
  }
}
