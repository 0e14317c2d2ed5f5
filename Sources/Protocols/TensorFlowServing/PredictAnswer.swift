import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import Tokenizers

/// A map answer in TensorFlow Serving's row or column form. With one output its name is left out.
struct PredictAnswer {
  let answer: MapAnswer
  let isRows: Bool
  /// Whether `attention_mask` is an output too.
  let hasMask: Bool

  private var keys: [OutputKey] { answer.request.keys }
  private var isNamed: Bool { keys.count > 1 || hasMask }

  func response() -> Response {
    AnswerCursor(isRows ? rows() : columns(), .json).response(
      numbers: answer.numberCount, fields: [.contentType: "application/json"])
  }

  /// `{"outputs": value}` or `{"outputs": {"name": value, …}}`.
  private func columns() -> [AnswerPiece] {
    var pieces: [AnswerPiece] = []
    var prefix = "{\"outputs\":" + (isNamed ? "{" : "")
    for key in keys {
      if isNamed { prefix += "\"\(key.rawValue)\":" }
      pieces += answer.nestedPieces(of: key, prefix: Array(prefix.utf8))
      prefix = ","
    }
    var tail = ""
    if hasMask { tail = ",\"attention_mask\":[" + masks.joined(separator: ",") + "]" }
    pieces[pieces.count - 1].suffix += Array((tail + (isNamed ? "}}" : "}")).utf8)
    return pieces
  }

  /// `{"predictions": [value, …]}` or `{"predictions": [{"name": value, …}, …]}`.
  private func rows() -> [AnswerPiece] {
    let columns = keys.map { ($0, answer.pieces(of: $0)) }
    let masks = hasMask ? masks : []
    let count = answer.texts.count
    var pieces: [AnswerPiece] = []
    for row in 0..<count {
      var prefix = (row == 0 ? "{\"predictions\":[" : ",") + (isNamed ? "{" : "")
      for (key, column) in columns {
        if isNamed { prefix += "\"\(key.rawValue)\":" }
        let isList = key == .encoderOutputs
        if isList { prefix += "[" }
        for index in stride(from: row, to: column.count, by: count) {
          var piece = column[index]
          piece.prefix = Array(prefix.utf8)
          pieces.append(piece)
          prefix = ","
        }
        if isList { pieces[pieces.count - 1].suffix.append(UInt8(ascii: "]")) }
      }
      var tail = hasMask ? ",\"attention_mask\":\(masks[row])" : ""
      tail += (isNamed ? "}" : "") + (row == count - 1 ? "]}" : "")
      pieces[pieces.count - 1].suffix += Array(tail.utf8)
    }
    return pieces
  }

  /// A JSON list a text: 1 for a token, 0 for padding.
  private var masks: [String] {
    answer.texts.map(\.sequence).map { sequence in
      let mask = (0..<sequence.count).map { $0 < sequence.attendedCount ? "1" : "0" }
      return "[" + mask.joined(separator: ",") + "]"
    }
  }
}
