/// Which bytes of a table's record are within quotes (RFC 4180): a quote opens a cell only as the
/// cell's first byte, and closes it only before a separator or a line's end.
struct Quoting {
  private enum Place {
    case cellStart
    case plain
    case quoted
    /// Behind a quote within quotes, which closes the cell unless another one follows.
    case quote
    /// Behind a carriage return that follows a quoted cell.
    case carriageReturn
    /// Behind a quote that is at no place for one.
    case broken
  }

  private let separator: UInt8
  private var place = Place.cellStart

  /// Whether it is within quotes: where a line ends, the record's next line follows.
  var isOpen: Bool { place == .quoted }
  /// Whether a quote was at no place for one; where cells end is not known then.
  var isBroken: Bool { place == .broken }

  init(separator: UInt8) { self.separator = separator }

  /// Reads bytes of a line, none of which is its LF.
  mutating func read(_ bytes: ArraySlice<UInt8>) {
    for byte in bytes {
      let isQuote = byte == UInt8(ascii: "\"")
      switch place {
      case .cellStart:
        place = isQuote ? .quoted : byte == separator ? .cellStart : .plain
      case .plain:
        place = isQuote ? .broken : byte == separator ? .cellStart : .plain
      case .quoted: if isQuote { place = .quote }
      case .quote:
        if isQuote {
          place = .quoted
        } else if byte == separator {
          place = .cellStart
        } else {
          place = byte == UInt8(ascii: "\r") ? .carriageReturn : .broken
        }
      case .carriageReturn: place = .broken
      case .broken: return
      }
    }
  }
}
