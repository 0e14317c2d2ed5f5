package import HTTP
package import HTTPTypes
import JSON
package import TensorFormats

/// A run of numbers in an answer, with the bytes around it: one text's entry, or one block of it.
package struct AnswerPiece: Sendable {
  package var prefix: [UInt8]
  /// Writes something other than numbers, when its turn comes.
  var render: (@Sendable (inout [UInt8]) -> Void)?
  /// [rows, width], or [width] if there are no rows.
  package var values: [Float]
  package var width: Int
  var isMatrix: Bool
  package var suffix: [UInt8]

  package init(
    prefix: [UInt8] = [], render: (@Sendable (inout [UInt8]) -> Void)? = nil,
    values: [Float] = [], width: Int = 0, isMatrix: Bool = false, suffix: [UInt8] = []
  ) {
    self.prefix = prefix
    self.render = render
    self.values = values
    self.width = width
    self.isMatrix = isMatrix
    self.suffix = suffix
  }
}

/// Writes pieces in order, stopping at any size, so that an answer of any length passes through a
/// buffer of a fixed one.
package struct AnswerCursor: Sendable {
  package enum Coding: Sendable {
    /// Nested as the shape is.
    case json
    /// A piece's numbers with commas between them and no brackets, row-major: its prefix ends with
    /// the `[` or `,` before them.
    case flat
    /// A string a piece: base64 of its little-endian elements.
    case base64(ElementFormat)
    /// The little-endian elements themselves.
    case raw(ElementFormat)

    /// About how many bytes that many numbers take: a JSON number is some 12 characters.
    func byteCount(ofNumbers count: Int) -> Int {
      switch self {
      case .json, .flat: count * 12
      case .base64(let elements): count * elements.size * 4 / 3
      case .raw(let elements): count * elements.size
      }
    }
  }

  private let pieces: [AnswerPiece]
  private let coding: Coding
  private var piece = 0
  private var row = 0

  package init(_ pieces: [AnswerPiece], _ coding: Coding) {
    self.pieces = pieces
    self.coding = coding
  }

  package var isAtEnd: Bool { piece == pieces.count }

  /// Appends to `bytes` until it holds at least `size`, or everything is written.
  package mutating func write(into bytes: inout [UInt8], until size: Int) {
    while piece < pieces.count, bytes.count < size {
      let current = pieces[piece]
      if row == 0 { bytes += current.prefix }
      current.render?(&bytes)
      switch coding {
      case .json, .flat: writeRows(of: current, into: &bytes, until: size)
      case .base64 where current.values.isEmpty: break
      case .base64(let format):
        var elements: [UInt8] = []
        format.append(current.values.span, to: &elements)
        bytes.append(UInt8(ascii: "\""))
        Base64.encode(elements.span, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
        row = current.values.count
      case .raw(let format):
        format.append(current.values.span, to: &bytes)
        row = current.values.count
      }
      if row * max(current.width, 1) >= current.values.count {
        bytes += current.suffix
        piece += 1
        row = 0
      }
    }
  }

  private mutating func writeRows(
    of piece: AnswerPiece, into bytes: inout [UInt8], until size: Int
  ) {
    let rows = piece.width == 0 ? 0 : piece.values.count / piece.width
    if rows == 0 { return }
    let isFlat = if case .flat = coding { true } else { false }
    if row == 0, piece.isMatrix, !isFlat { bytes.append(UInt8(ascii: "[")) }
    repeat {
      if row > 0 { bytes.append(UInt8(ascii: ",")) }
      let start = row * piece.width
      let values = piece.values.span.extracting(start..<start + piece.width)
      if isFlat {
        // The separator takes the place of the row's own bracket.
        let separator = bytes.removeLast()
        let place = bytes.count
        FloatWriter.appendArray(values, to: &bytes)
        bytes[place] = separator
        bytes.removeLast()
      } else {
        FloatWriter.appendArray(values, to: &bytes)
      }
      row += 1
    } while row < rows && bytes.count < size
    if row == rows, piece.isMatrix, !isFlat { bytes.append(UInt8(ascii: "]")) }
  }
}

extension AnswerCursor {
  /// Answers of more numbers than this are streamed piece by piece.
  private static let bufferedNumbers = 16_384

  /// - Parameters:
  ///   - numbers: how many there are in all pieces.
  ///   - otherBytes: of what is not numbers, about, where it may be much.
  ///   - length: bytes of the whole body, if that is known.
  package consuming func response(
    numbers: Int, otherBytes: Int = 0, fields: HTTPFields, length: Int? = nil
  ) -> Response {
    if numbers > Self.bufferedNumbers || otherBytes > AnswerSource.pieceSize {
      return Response(
        status: .ok, fields: fields, body: .stream(AnswerSource(self), length: length))
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(length ?? (coding.byteCount(ofNumbers: numbers) + otherBytes + 512))
    write(into: &bytes, until: .max)
    return Response(status: .ok, fields: fields, body: .bytes(bytes))
  }
}
