import HTTP
import HTTPTypes
import JSON
import OutputMap
import WordPiece

/// The map entries asked for, of all texts of a request, as one answer in the format asked for.
struct EncodeAnswer {
  let model: ServedModel
  let parameters: EncodeParameters
  let texts: [Tokenization]
  let results: [EncodedSequence]

  /// Answers of more numbers than this are streamed piece by piece.
  private static let bufferedNumbers = 16_384
  /// Bytes of one piece of a streamed answer.
  static let pieceSize = 128 << 10

  // MARK: - Size and shape

  /// [B, H], [B, S, H] or [L, B, S, H]; nil for a size that differs from text to text.
  private func shape(of key: OutputKey) -> [Int?] {
    let lengths = texts.map(\.sequence.count)
    let rows = lengths.allSatisfy { $0 == lengths.first } ? lengths.first : nil
    switch key {
    case .default, .pooledOutput: return [texts.count, model.shape.hiddenSize]
    case .sentenceEmbedding: return [texts.count, model.shape.sentenceSize ?? 0]
    case .sequenceOutput: return [texts.count, rows, model.shape.hiddenSize]
    case .encoderOutputs:
      return [parameters.layers.count, texts.count, rows, model.shape.hiddenSize]
    }
  }

  /// npy and safetensors hold rectangles, which texts of several lengths do not make.
  static func checkShape(
    of parameters: EncodeParameters, _ texts: [Tokenization]
  ) throws(ServiceError) {
    guard parameters.format == .npy || parameters.format == .safetensors,
      parameters.keys.contains(.sequenceOutput) || parameters.keys.contains(.encoderOutputs),
      texts.contains(where: { $0.sequence.count != texts[0].sequence.count })
    else { return }
    throw .unprocessable(
      "\(parameters.format.rawValue) holds rectangles and these texts differ in length: add "
        + "seq_length=longest, send one text at a time, or ask for json or base64")
  }

  /// Numbers of the whole answer, known before anything is encoded.
  static func numberCount(
    of parameters: EncodeParameters, _ shape: ServedModel.Shape, texts: Int, tokens: Int
  ) -> Int {
    parameters.keys.reduce(0) { sum, key in
      switch key {
      case .default, .pooledOutput: sum + texts * shape.hiddenSize
      case .sentenceEmbedding: sum + texts * (shape.sentenceSize ?? 0)
      case .sequenceOutput: sum + tokens * shape.hiddenSize
      case .encoderOutputs: sum + tokens * shape.hiddenSize * parameters.layers.count
      }
    }
  }

  /// About how many bytes that many numbers take: a JSON number is some 12 characters.
  static func byteCount(ofNumbers count: Int, _ parameters: EncodeParameters) -> Int {
    switch parameters.format {
    case .json: count * 12
    case .base64: count * parameters.elements.size * 4 / 3
    case .npy, .safetensors: count * parameters.elements.size
    }
  }

  // MARK: - The response

  func response() -> Response {
    let fields: HTTPFields = [.contentType: parameters.format.contentType]
    var cursor: AnswerCursor
    var length: Int?
    let numbers = Self.numberCount(
      of: parameters, model.shape, texts: texts.count,
      tokens: texts.reduce(0) { $0 + $1.sequence.count })
    switch parameters.format {
    case .json: cursor = AnswerCursor(objectPieces(), .json)
    case .base64: cursor = AnswerCursor(objectPieces(), .base64(parameters.elements))
    case .npy, .safetensors:
      let head = parameters.format == .npy ? npyHead() : safetensorsHead()
      var pieces = [AnswerPiece(prefix: head)]
      for key in parameters.keys { pieces += valuePieces(of: key) }
      cursor = AnswerCursor(pieces, .raw(parameters.elements))
      length = head.count + numbers * parameters.elements.size
    }
    if numbers > Self.bufferedNumbers {
      return Response(
        status: .ok, fields: fields, body: .stream(AnswerSource(cursor), length: length))
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(length ?? (numbers * 12 + 512))
    cursor.write(into: &bytes, until: .max)
    return Response(status: .ok, fields: fields, body: .bytes(bytes))
  }

  /// The JSON object, without a line end.
  func objectPieces() -> [AnswerPiece] {
    var pieces: [AnswerPiece] = []
    var head = JSONWriter()
    head.beginObject()
    head.key("model")
    head.string(model.name)
    head.key("outputs")
    head.beginObject()
    var prefix = head.bytes
    for (index, key) in parameters.keys.enumerated() {
      prefix += Array((index == 0 ? "\"" : ",\"").utf8) + Array(key.rawValue.utf8)
      prefix += Array("\":".utf8)
      let lists = key == .encoderOutputs ? parameters.layers.count : 1
      var values = valuePieces(of: key)
      let perList = texts.count
      for list in 0..<lists {
        var opening = [UInt8(ascii: "[")]
        if lists > 1 || key == .encoderOutputs {
          opening = list == 0 ? Array("[[".utf8) : Array(",[".utf8)
        }
        values[list * perList].prefix = prefix + opening
        prefix = []
        for text in 1..<max(perList, 1) {
          values[list * perList + text].prefix = [UInt8(ascii: ",")]
        }
        values[list * perList + perList - 1].suffix = [UInt8(ascii: "]")]
      }
      if key == .encoderOutputs { values[values.count - 1].suffix = Array("]]".utf8) }
      pieces += values
    }
    pieces[pieces.count - 1].suffix += tail()
    return pieces
  }

  /// Pieces without brackets: a piece a text, and for `encoder_outputs` a block.
  private func valuePieces(of key: OutputKey) -> [AnswerPiece] {
    let hidden = model.shape.hiddenSize
    switch key {
    case .default, .pooledOutput:
      return results.map { AnswerPiece(values: $0.pooled, width: hidden) }
    case .sentenceEmbedding:
      return results.map { AnswerPiece(values: $0.sentence, width: $0.sentence.count) }
    case .sequenceOutput: return blockPieces(model.shape.blockCount - 1)
    case .encoderOutputs: return parameters.layers.flatMap(blockPieces)
    }
  }

  private func blockPieces(_ block: Int) -> [AnswerPiece] {
    results.map {
      AnswerPiece(
        values: $0.blocks[block] ?? [], width: model.shape.hiddenSize, isMatrix: true)
    }
  }

  /// What follows the numbers: shapes, lengths, truncation and, if asked for, the tokens.
  private func tail() -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("shapes")
    writer.beginObject()
    for key in parameters.keys {
      writer.key(key.rawValue)
      writer.beginArray()
      for size in shape(of: key) {
        if let size { writer.integer(size) } else { writer.null() }
      }
      writer.endArray()
    }
    writer.endObject()
    writer.key("lengths")
    writer.beginArray()
    for text in texts { writer.integer(text.sequence.attendedCount) }
    writer.endArray()
    writer.key("truncated")
    writer.beginArray()
    for text in texts { writer.boolean(text.truncated) }
    writer.endArray()
    if parameters.wantsTokens {
      writer.key("tokens")
      writer.beginArray()
      for text in texts { text.write(to: &writer, model.tokenizer.vocabulary) }
      writer.endArray()
    }
    writer.endObject()
    // The object was opened long before: its "{" is replaced by the end of "outputs".
    return Array("},".utf8) + writer.bytes.dropFirst()
  }

  // MARK: - Binary heads

  /// NumPy's format, version 1.0 (numpy.lib.format): magic, header length, a Python literal
  /// padded so that the elements start at a multiple of 64.
  private func npyHead() -> [UInt8] {
    let shape = shape(of: parameters.keys[0]).compactMap(\.self)
    let type = parameters.elements == .float16 ? "<f2" : "<f4"
    let sizes = shape.map(String.init).joined(separator: ", ")
    var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }"
    let padding = 64 - (10 + header.utf8.count + 1) % 64
    header += String(repeating: " ", count: padding % 64) + "\n"
    let length = header.utf8.count
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)]
      + Array(header.utf8)
  }

  /// safetensors: header length, JSON header padded with spaces to a multiple of 8, elements.
  private func safetensorsHead() -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("__metadata__")
    writer.beginObject()
    writer.key("model")
    writer.string(model.name)
    writer.key("lengths")
    writer.string(texts.map { String($0.sequence.attendedCount) }.joined(separator: ","))
    writer.key("truncated")
    writer.string(texts.map { $0.truncated ? "true" : "false" }.joined(separator: ","))
    writer.endObject()
    var offset = 0
    for key in parameters.keys {
      let shape = shape(of: key).compactMap(\.self)
      let size = shape.reduce(parameters.elements.size, *)
      writer.key(key.rawValue)
      writer.beginObject()
      writer.key("dtype")
      writer.string(parameters.elements.safetensorsName)
      writer.key("shape")
      writer.beginArray()
      for size in shape { writer.integer(size) }
      writer.endArray()
      writer.key("data_offsets")
      writer.beginArray()
      writer.integer(offset)
      writer.integer(offset + size)
      writer.endArray()
      writer.endObject()
      offset += size
    }
    writer.endObject()
    var header = writer.bytes
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> ($0 * 8)) }
    return length + header
  }
}

extension ElementFormat {
  var safetensorsName: String {
    switch self {
    case .float32: "F32"
    case .float16: "F16"
    case .bfloat16: "BF16"
    }
  }
}

extension Tokenization {
  /// `[{"id","text","special","start","stop"}, …]`, padding left out; bytes of the text.
  func write(to writer: inout JSONWriter, _ vocabulary: Vocabulary) {
    writer.beginArray()
    for position in 0..<sequence.attendedCount {
      let id = sequence.ids[position]
      writer.beginObject()
      writer.key("id")
      writer.integer(Int(id))
      writer.key("text")
      writer.string(vocabulary.token(id) ?? "")
      let bytes = sources[position]?.bytes
      writer.key("special")
      writer.boolean(bytes == nil)
      writer.key("start")
      if let bytes { writer.integer(bytes.lowerBound) } else { writer.null() }
      writer.key("stop")
      if let bytes { writer.integer(bytes.upperBound) } else { writer.null() }
      writer.endObject()
    }
    writer.endArray()
  }
}
