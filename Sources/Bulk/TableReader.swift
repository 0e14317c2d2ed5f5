import Tokenizers

/// The records of a table with a line of column names (RFC 4180): quoted cells may hold separators
/// and line ends.
struct TableReader {
  private let lines: LineReader
  private let name: String
  private let separator: UInt8
  private var lineNumber = 0
  /// Lines to read again, the next one last.
  private var returned: [[UInt8]] = []
  private var columnCount = 0
  private var textColumn = 0
  private var secondColumn: Int?
  private var identifierColumn: Int?

  init(_ lines: LineReader, name: String, separator: UInt8, _ fields: Fields) throws(BulkError) {
    self.lines = lines
    self.name = name
    self.separator = separator
    guard case .success(let columns)? = try cells(), !columns.isEmpty else {
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
      // An empty line is no record; a quoted empty cell is one.
      if case .success([]) = cells { continue }
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
          last == first
            ? reason : BadRecord("\(reason); with its quoted line ends it goes to line \(last)")
        }, line: first)
    }
  }

  /// One record's cells; nil at the end.
  private mutating func cells() throws(BulkError) -> Result<[String], BadRecord>? {
    let first = lineNumber + 1
    var taken: [[UInt8]] = []
    var byteCount = 0
    var isTooLong = false
    var quoting = Quoting(separator: separator)
    while let line = try line(&quoting) {
      lineNumber += 1
      if case .bytes(let part) = line {
        taken.append(part)
        byteCount += part.count + 1
      }
      isTooLong = isTooLong || line.isTooLong || byteCount > RecordReader.maxRecordBytes
      guard quoting.isOpen else {
        if isTooLong { return .failure(RecordReader.tooLong) }
        // The quote that was open all the way closes no cell: it is a stray one, and must not take
        // other records along.
        if quoting.isBroken, taken.count > 1 { return giveBack(behind: first, taken) }
        return parse(Array(taken.joined(separator: [UInt8(ascii: "\n")])))
      }
      if isTooLong { break }
    }
    guard lineNumber >= first else { return nil }
    // Whatever becomes of bad records: this one took all that follows along.
    throw BulkError(
      "\(name):\(first): a quoted cell that begins in this record has no end"
        + (isTooLong ? " within \(RecordReader.maxRecordBytes >> 20) MiB" : "")
        + ": close the quote, or write each quote within a cell twice")
  }

  private mutating func line(_ quoting: inout Quoting) throws(BulkError) -> LineReader.Line? {
    if let line = returned.popLast() {
      quoting.read(line[...])
      return .bytes(line)
    }
    return try lines.next { quoting.read($0) }
  }

  /// Only the first of the lines is a bad record; the others are read again.
  private mutating func giveBack(
    behind first: Int, _ lines: [[UInt8]]
  ) -> Result<[String], BadRecord> {
    returned += lines.dropFirst().reversed()
    let last = lineNumber
    lineNumber = first
    return .failure(
      BadRecord(
        "a quote opens a cell here, and the next one, in line \(last), does not close it: write "
          + "each quote within a cell twice, and the cell in quotes"))
  }

  /// The cells of a record; none of an empty line.
  private func parse(_ record: [UInt8]) -> Result<[String], BadRecord> {
    if record.isEmpty { return .success([]) }
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
