import WordPiece

/// The records of a table with a line of column names (RFC 4180): quoted cells may hold separators
/// and line ends.
struct TableReader {
  private let lines: LineReader
  private let name: String
  private let separator: UInt8
  private var lineNumber = 0
  private var columnCount = 0
  private var textColumn = 0
  private var secondColumn: Int?
  private var identifierColumn: Int?

  init(_ lines: LineReader, name: String, separator: UInt8, _ fields: Fields) throws(BulkError) {
    self.lines = lines
    self.name = name
    self.separator = separator
    guard case .success(let columns)? = try cells() else {
      throw BulkError("\(name):1: there is no line of column names")
    }
    func column(_ field: String) throws(BulkError) -> Int {
      guard let index = columns.firstIndex(of: field) else {
        let known = columns.joined(separator: ", ")
        throw BulkError("\(name):1: there is no column '\(field)'; there is \(known)")
      }
      guard !columns[(index + 1)...].contains(field) else {
        throw BulkError("\(name):1: there are two columns '\(field)': give them a name each")
      }
      return index
    }
    columnCount = columns.count
    textColumn = try column(fields.textName)
    secondColumn = if let second = fields.second { try column(second) } else { nil }
    identifierColumn =
      if let identifier = fields.identifier { try column(identifier) } else { nil }
  }

  mutating func next() throws(BulkError) -> RecordReader.Content? {
    while true {
      let first = lineNumber + 1
      guard let cells = try cells() else { return nil }
      // An empty line is a text only where a line is one.
      if case .success([""]) = cells { continue }
      let count = columnCount
      let checked = cells.flatMap { cells in
        cells.count == count
          ? .success(cells)
          : .failure(BadRecord("it has \(cells.count) cells and there are \(count) columns"))
      }
      let last = lineNumber
      return RecordReader.Content(
        identifier: identifierColumn.flatMap { column in (try? checked.get())?[column] },
        input: checked.map { cells in
          secondColumn.map { .pair(cells[textColumn], cells[$0]) } ?? .single(cells[textColumn])
        }.mapError { reason in
          // A quote that is not closed takes the lines behind it along.
          last == first
            ? reason : BadRecord("\(reason); with its quoted line ends it goes to line \(last)")
        }, line: first)
    }
  }

  /// One record's cells; nil at the end.
  private mutating func cells() throws(BulkError) -> Result<[String], BadRecord>? {
    let first = lineNumber + 1
    var bytes: [UInt8] = []
    var isTooLong = false
    var isInQuotes = false
    var hasBegun = false
    while let line = try lines.next() {
      lineNumber += 1
      // Two quotes within quotes end and begin again: that comes out right.
      switch line {
      case .tooLong(let quotes):
        isTooLong = true
        if quotes % 2 == 1 { isInQuotes.toggle() }
      case .bytes(let part):
        if LineReader.quotes(part[...]) % 2 == 1 { isInQuotes.toggle() }
        if hasBegun { bytes.append(UInt8(ascii: "\n")) }
        bytes += part
      }
      hasBegun = true
      isTooLong = isTooLong || bytes.count > RecordReader.maxRecordBytes
      if isTooLong { bytes = [] }
      guard isInQuotes else { return isTooLong ? .failure(RecordReader.tooLong) : parse(bytes) }
    }
    guard hasBegun else { return nil }
    // Whatever becomes of bad records: this one took all that follows along.
    throw BulkError(
      "\(name):\(first): a quoted cell that begins in this record has no end: close the quote, or "
        + "write each quote within a cell twice")
  }

  private func parse(_ record: [UInt8]) -> Result<[String], BadRecord> {
    var cells: [String] = []
    var position = 0
    while true {
      var cell: [UInt8] = []
      if position < record.count, record[position] == UInt8(ascii: "\"") {
        position += 1
        while position < record.count {
          if record[position] == UInt8(ascii: "\"") {
            position += 1
            guard position < record.count, record[position] == UInt8(ascii: "\"") else { break }
          }
          cell.append(record[position])
          position += 1
        }
      } else {
        let end = record[position...].firstIndex(of: separator) ?? record.count
        cell += record[position..<end]
        position = end
        if cell.contains(UInt8(ascii: "\"")) {
          return .failure(BadRecord("a quote within a cell that is not quoted"))
        }
      }
      guard let text = String(validating: cell, as: UTF8.self) else {
        return .failure(BadRecord("it is not valid UTF-8"))
      }
      cells.append(text)
      if position == record.count { return .success(cells) }
      guard record[position] == separator else {
        return .failure(BadRecord("something follows a quoted cell"))
      }
      position += 1
    }
  }
}
