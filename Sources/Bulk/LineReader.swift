import Glibc

/// The lines of a file or pipe, one at a time, in bounded memory.
final class LineReader {
  enum Line {
    case bytes([UInt8])
    /// Longer than `limit`; it was read past and is gone.
    case tooLong

    var isTooLong: Bool { if case .tooLong = self { true } else { false } }
  }

  private let input: InputBytes
  private let limit: Int
  private var piece: [UInt8] = []
  private var position = 0

  /// Bytes of the file that the lines so far took; an estimate where it is compressed.
  var consumedBytes: Int {
    let range = input.consumed
    guard !piece.isEmpty else { return range.upperBound }
    return range.lowerBound + Int(Double(range.count) * Double(position) / Double(piece.count))
  }

  /// - Parameters:
  ///   - path: "-" is standard input.
  ///   - name: what it is called in messages; the path when nil.
  ///   - limit: bytes of the longest line.
  init(path: String, name: String? = nil, limit: Int) throws(BulkError) {
    self.limit = limit
    input = try InputBytes(path: path, name: name ?? path)
  }

  /// The next line without its end (LF or CR LF); nil after the last.
  ///
  /// - Parameter visit: gets all bytes of the line but the LF, piece by piece, one that is too long
  ///   too.
  func next(_ visit: (ArraySlice<UInt8>) -> Void = { _ in }) throws(BulkError) -> Line? {
    var line: [UInt8] = []
    var hasBegun = false
    var isTooLong = false
    while try fill() {
      hasBegun = true
      let end = piece[position...].firstIndex(of: UInt8(ascii: "\n"))
      let part = piece[position..<(end ?? piece.count)]
      visit(part)
      if !isTooLong, line.count + part.count > limit {
        isTooLong = true
        line = []
      }
      if !isTooLong { line += part }
      position = end.map { $0 + 1 } ?? piece.count
      if end != nil { break }
    }
    guard hasBegun else { return nil }
    if isTooLong { return .tooLong }
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    return .bytes(line)
  }

  /// The next byte, without taking it; nil at the end.
  func peek() throws(BulkError) -> UInt8? { try fill() ? piece[position] : nil }

  /// The next byte; nil at the end.
  func nextByte() throws(BulkError) -> UInt8? {
    guard let byte = try peek() else { return nil }
    position += 1
    return byte
  }

  /// False at the end.
  private func fill() throws(BulkError) -> Bool {
    if position < piece.count { return true }
    piece = try input.next() ?? []
    position = 0
    return !piece.isEmpty
  }
}

/// What the last call of the system complained of.
func errorText() -> String { unsafe String(cString: strerror(errno)) }
