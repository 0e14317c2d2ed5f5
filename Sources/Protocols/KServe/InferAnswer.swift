import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import TensorFormats
import Tokenizers

/// A map answer as KServe's tensors: in the JSON, or in binary behind it.
struct InferAnswer {
  let answer: MapAnswer
  let outputs: InferOutputs
  let id: RawText?
  /// The request's own, told again.
  let parameters: [RawText: JSONValue]

  /// Parameters that mean something here and are not told again.
  private static let consumed: [RawText] = [
    "binary_data_output", "priority", "timeout", "sequence_id", "sequence_start", "sequence_end",
  ]

  func response() -> Response {
    var (pieces, blobs) = pieces()
    guard !blobs.isEmpty else {
      return AnswerCursor(pieces, .flat).response(
        numbers: answer.numberCount, fields: [.contentType: "application/json"])
    }
    var head: [UInt8] = []
    var cursor = AnswerCursor(pieces, .flat)
    cursor.write(into: &head, until: .max)
    let fields: HTTPFields = [
      .contentType: "application/octet-stream", .inferenceHeaderLength: String(head.count),
    ]
    let size = blobs.reduce(head.count) { $0 + $1.prefix.count + 4 * $1.values.count }
    blobs.insert(AnswerPiece(prefix: head), at: 0)
    return AnswerCursor(blobs, .raw(.float32)).response(
      numbers: answer.numberCount, fields: fields, length: size)
  }

  /// The JSON, and what comes behind it.
  private func pieces() -> (json: [AnswerPiece], blobs: [AnswerPiece]) {
    var json: [AnswerPiece] = []
    var blobs: [AnswerPiece] = []
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("model_name")
    writer.string(answer.model.name)
    writer.key("model_version")
    writer.string(ServedModel.version)
    if let id {
      writer.key("id")
      writer.string(id.string)
    }
    let echoed = parameters.filter { !Self.consumed.contains($0.key) }
    if !echoed.isEmpty {
      writer.key("parameters")
      writer.value(.object(echoed))
    }
    writer.key("outputs")
    writer.beginArray()
    for tensor in outputs.tensors {
      let content = content(of: tensor.content)
      writer.beginObject()
      writer.key("name")
      writer.string(tensor.name.string)
      writer.key("datatype")
      writer.string(tensor.content.datatype)
      writer.key("shape")
      writer.beginArray()
      for size in content.shape { writer.integer(size) }
      writer.endArray()
      if tensor.isBinary {
        writer.key("parameters")
        writer.beginObject()
        writer.key("binary_data_size")
        writer.integer(content.byteCount)
        writer.endObject()
        blobs += content.blobs
      } else {
        writer.key("data")
        writer.beginArray()
        for integer in content.integers { writer.integer(integer) }
        for (index, piece) in content.numbers.enumerated() {
          var piece = piece
          piece.prefix = index == 0 ? writer.takeBytes() : [UInt8(ascii: ",")]
          json.append(piece)
        }
        writer.endArray()
      }
      writer.endObject()
    }
    writer.endArray()
    writer.endObject()
    json.append(AnswerPiece(prefix: writer.takeBytes()))
    return (json, blobs)
  }

  /// A tensor's elements: numbers or integers, row-major.
  private struct Content {
    var shape: [Int]
    var numbers: [AnswerPiece] = []
    var integers: [Int64] = []

    var byteCount: Int { numbers.reduce(8 * integers.count) { $0 + 4 * $1.values.count } }

    var blobs: [AnswerPiece] {
      if integers.isEmpty { return numbers }
      let bytes = integers.flatMap { integer in
        (0..<8).map { UInt8(truncatingIfNeeded: integer >> ($0 * 8)) }
      }
      return [AnswerPiece(prefix: bytes)]
    }
  }

  private func content(of content: InferOutputs.Tensor.Content) -> Content {
    let texts = answer.texts.map(\.sequence)
    let rows = answer.rowCount ?? 0
    switch content {
    case .entry(.encoderOutputs):
      let hidden = answer.model.info.hiddenSize
      return Content(
        shape: [outputs.layers.count, texts.count, rows, hidden],
        numbers: outputs.layers.flatMap(answer.pieces(ofBlock:)))
    case .entry(let key):
      return Content(
        shape: answer.shape(of: key).map { $0 ?? 0 }, numbers: answer.pieces(of: key))
    case .block(let block):
      return Content(
        shape: [texts.count, rows, answer.model.info.hiddenSize],
        numbers: answer.pieces(ofBlock: block))
    case .attentionMask:
      return Content(
        shape: [texts.count, rows],
        integers: texts.flatMap { text in
          (0..<text.count).map { $0 < text.attendedCount ? 1 : 0 }
        })
    case .lengths:
      return Content(shape: [texts.count], integers: texts.map { Int64($0.attendedCount) })
    }
  }
}

extension HTTPField.Name {
  static let inferenceHeaderLength = Self("inference-header-content-length")!
}
