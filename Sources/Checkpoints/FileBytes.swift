/// A copy of some bytes of a file: what is parsed cannot change meanwhile. Places are counted from
/// the start of the file, as in error messages.
struct FileBytes: Sendable {
  let path: String
  /// Bytes of the file before these.
  let start: Int
  let bytes: [UInt8]

  var range: Range<Int> { start..<start + bytes.count }

  /// - Precondition: the range lies inside `range`.
  subscript(range: Range<Int>) -> ArraySlice<UInt8> {
    bytes[range.lowerBound - start..<range.upperBound - start]
  }

  /// The text in these bytes; nil if it is not UTF-8.
  ///
  /// - Precondition: the range lies inside `range`.
  func string(_ range: Range<Int>) -> String? { String(validating: self[range], as: UTF8.self) }
}
