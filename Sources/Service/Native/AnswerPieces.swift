import JSON

/// A run of numbers in an answer, with the bytes around it: one text's entry, or one block of it.
struct AnswerPiece {
  var prefix: [UInt8] = []
  /// [rows, width], or [width] if there are no rows.
  var values: [Float] = []
  var width: Int = 0
  var isMatrix = false
  var suffix: [UInt8] = []
}

/// Writes pieces in order, stopping at any size, so that an answer of any length passes through a
/// buffer of a fixed one.
struct AnswerCursor {
  enum Coding {
    case json
    /// A string a piece: base64 of its little-endian elements.
    case base64(ElementFormat)
    /// The little-endian elements themselves.
    case raw(ElementFormat)
  }

  private let pieces: [AnswerPiece]
  private let coding: Coding
  private var piece = 0
  private var row = 0

  init(_ pieces: [AnswerPiece], _ coding: Coding) {
    self.pieces = pieces
    self.coding = coding
  }

  var isAtEnd: Bool { piece == pieces.count }

  /// Appends to `bytes` until it holds at least `size`, or everything is written.
  mutating func write(into bytes: inout [UInt8], until size: Int) {
    while piece < pieces.count, bytes.count < size {
      let current = pieces[piece]
      if row == 0 { bytes += current.prefix }
      switch coding {
      case .json: writeRows(of: current, into: &bytes, until: size)
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
    if row == 0, piece.isMatrix { bytes.append(UInt8(ascii: "[")) }
    repeat {
      if row > 0 { bytes.append(UInt8(ascii: ",")) }
      let start = row * piece.width
      FloatWriter.appendArray(
        piece.values.span.extracting(start..<start + piece.width), to: &bytes)
      row += 1
    } while row < rows && bytes.count < size
    if row == rows, piece.isMatrix { bytes.append(UInt8(ascii: "]")) }
  }
}
