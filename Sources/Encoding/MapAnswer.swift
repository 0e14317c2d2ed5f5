package import EncoderContract
package import Tokenizers

/// The entries asked for, of all texts of a request.
package struct MapAnswer: Sendable {
  package let request: MapRequest
  package let texts: [Tokenization]
  package let results: [EncodedSequence]

  package init(request: MapRequest, texts: [Tokenization], results: [EncodedSequence]) {
    self.request = request
    self.texts = texts
    self.results = results
  }

  package var model: ServedModel { request.model }

  /// S if all texts have the same number of positions.
  package var rowCount: Int? {
    let count = texts.first?.sequence.count
    return texts.allSatisfy { $0.sequence.count == count } ? count : nil
  }

  /// Positions of all texts, padding included.
  package var tokenCount: Int { texts.reduce(0) { $0 + $1.sequence.count } }

  package var numberCount: Int { request.numberCount(texts: texts.count, tokens: tokenCount) }

  /// [B, H], [B, S, H] or [L, B, S, H]; nil for a size that differs from text to text.
  package func shape(of key: OutputKey) -> [Int?] {
    var shape = model.info.shape(
      of: key, blocks: request.layers.count, texts: texts.count, tokens: rowCount)
    shape[shape.count - 1] = request.width(of: key)
    return shape
  }

  /// A piece a text, and for `encoder_outputs` a block of them after another; without brackets
  /// round them.
  package func pieces(of key: OutputKey) -> [AnswerPiece] {
    switch key {
    case .sequenceOutput: return pieces(ofBlock: model.info.blockCount - 1)
    case .encoderOutputs: return request.layers.flatMap(pieces(ofBlock:))
    default:
      let width = request.width(of: key)
      let isPredicted = request.isPredicted(key)
      return results.map {
        AnswerPiece(
          values: isPredicted ? $0.predicted.logits : $0[key], width: width,
          isMatrix: key.part == .token)
      }
    }
  }

  package func pieces(ofBlock block: Int) -> [AnswerPiece] {
    results.map {
      AnswerPiece(values: $0.blocks[block] ?? [], width: model.info.hiddenSize, isMatrix: true)
    }
  }

  /// An entry's pieces in brackets: a list of texts, for `encoder_outputs` a list of such lists.
  package func nestedPieces(of key: OutputKey, prefix: [UInt8]) -> [AnswerPiece] {
    var pieces = pieces(of: key)
    let isList = key == .encoderOutputs
    let count = texts.count
    for index in pieces.indices {
      let isFirst = index % count == 0
      if isFirst { pieces[index].prefix = Array((index > 0 ? ",[" : isList ? "[[" : "[").utf8) }
      if !isFirst { pieces[index].prefix = [UInt8(ascii: ",")] }
      if index % count == count - 1 { pieces[index].suffix = [UInt8(ascii: "]")] }
    }
    guard !pieces.isEmpty else {
      return [AnswerPiece(prefix: prefix + [UInt8(ascii: "["), UInt8(ascii: "]")])]
    }
    pieces[0].prefix = prefix + pieces[0].prefix
    if isList { pieces[pieces.count - 1].suffix.append(UInt8(ascii: "]")) }
    return pieces
  }
}

extension [Float] {
  /// The first components; divided by their Euclidean length if asked for, unless that is 0.
  package func cut(to count: Int, normalizes: Bool) -> [Float] {
    let kept = prefix(count)
    guard normalizes else { return Array(kept) }
    let length = kept.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    return length == 0 ? Array(kept) : kept.map { Float(Double($0) / length) }
  }
}
