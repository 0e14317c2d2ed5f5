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
          otherBytes: answer.request.wantsTokens ? answer.tokenCount * AnswerSize.bytesOfToken : 0,
          fields: fields)
    }
    let head = format == .npy ? npyHead() : safetensorsHead()
    let pieces = [AnswerPiece(prefix: head)] + keys.flatMap(answer.pieces)
    return AnswerCursor(pieces, coding).response(
      numbers: numbers, fields: fields, length: head.count + numbers * elements.size)
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
    guard answer.request.wantsTokens else {
      return [AnswerPiece(prefix: head, suffix: [UInt8(ascii: "}")])]
    }
    let vocabulary = answer.model.tokenizer.vocabulary
    var pieces = answer.texts.map { text in
      AnswerPiece(
        prefix: [UInt8(ascii: ",")],
        render: { bytes in
          var writer = JSONWriter()
          text.write(to: &writer, vocabulary)
          bytes += writer.bytes
        })
    }
    pieces[0].prefix = head + Array(",\"tokens\":[".utf8)
    pieces[pieces.count - 1].suffix = Array("]}".utf8)
    return pieces
  }

  // MARK: - Binary heads

  private func npyHead() -> [UInt8] {
    TensorHead.npy(shape: answer.shape(of: keys[0]).compactMap(\.self), elements)
  }

  private func safetensorsHead() -> [UInt8] {
    TensorHead.safetensors(
      keys.map { key in
        TensorHead.Entry(
          name: key.rawValue, shape: answer.shape(of: key).compactMap(\.self), elements)
      },
      metadata: [
        "model": answer.model.name,
        "lengths": answer.texts.map { String($0.sequence.attendedCount) }.joined(separator: ","),
        "truncated": answer.texts.map { $0.truncated ? "true" : "false" }.joined(separator: ","),
      ])
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
