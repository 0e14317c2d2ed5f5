import JSON
import WordPiece

/// The records of files, in their order.
public struct RecordReader {
  /// Bytes of a line, or of a CSV record: more is a bad record.
  public static let maxRecordBytes = 8 << 20

  private var paths: ArraySlice<String>
  private let format: InputFormat?
  private let fields: Fields
  private var lines: LineReader?
  private var path = ""
  private var current = InputFormat.text
  private var lineNumber = 0
  private var index = 0
  private var columnCount = 0
  private var textColumn = 0
  private var secondColumn: Int?
  private var bytesOfEarlierFiles = 0

  /// Bytes read so far.
  public var byteCount: Int { bytesOfEarlierFiles + (lines?.byteCount ?? 0) }

  /// - Parameters:
  ///   - paths: "-" is standard input.
  ///   - format: nil: what each name says.
  public init(paths: [String], format: InputFormat?, fields: Fields) {
    self.paths = paths[...]
    self.format = format
    self.fields = fields
  }

  /// The next record; nil after the last of the last file.
  public mutating func next() throws(BulkError) -> Record? {
    while true {
      if lines == nil {
        guard let path = paths.popFirst() else { return nil }
        try open(path)
      }
      if let record = try nextOfFile() { return record }
      bytesOfEarlierFiles += lines?.byteCount ?? 0
      lines = nil
    }
  }

  private mutating func open(_ path: String) throws(BulkError) {
    self.path = path == "-" ? "standard input" : path
    current = format ?? InputFormat(path: path)
    lines = try LineReader(path: path, limit: Self.maxRecordBytes)
    lineNumber = 0
    guard current == .csv else { return }
    guard case .success(let names)? = try csvRecord() else {
      throw BulkError("\(self.path):1: there is no line of column names")
    }
    var columns = names
    // A byte order mark is no part of a name.
    if let first = columns.first, first.unicodeScalars.first == "\u{FEFF}" {
      columns[0] = String(first.unicodeScalars.dropFirst())
    }
    func column(_ name: String) throws(BulkError) -> Int {
      guard let index = columns.firstIndex(of: name) else {
        throw BulkError(
          "\(self.path):1: there is no column '\(name)'; there is \(columns.joined(separator: ", "))"
        )
      }
      return index
    }
    columnCount = columns.count
    textColumn = try column(fields.text)
    secondColumn = if let second = fields.second { try column(second) } else { nil }
  }

  private mutating func nextOfFile() throws(BulkError) -> Record? {
    while true {
      let number = lineNumber + 1
      let input: Result<TokenizerInput, BadRecord>
      if current == .csv {
        guard let record = try csvRecord() else { return nil }
        // An empty line is a text only where a line is one.
        if case .success([""]) = record { continue }
        input = record.flatMap { self.input(ofCells: $0) }
      } else {
        guard let line = try line() else { return nil }
        if current == .jsonl, case .success([]) = line { continue }
        input = line.flatMap { current == .text ? Self.text($0).map { .single($0) } : json($0) }
      }
      defer { index += 1 }
      return Record(index: index, place: "\(path):\(number)", input: input)
    }
  }

  private mutating func line() throws(BulkError) -> Result<[UInt8], BadRecord>? {
    lineNumber += 1
    switch try lines?.next() {
    case nil: return nil
    case .tooLong: return .failure(Self.tooLong)
    case .bytes(let bytes): return .success(bytes)
    }
  }

  private static let tooLong = BadRecord("it is longer than \(maxRecordBytes >> 20) MiB")

  private static func text(_ bytes: [UInt8]) -> Result<String, BadRecord> {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      return .failure(BadRecord("it is not valid UTF-8"))
    }
    return .success(text)
  }

  // MARK: - JSON

  private func json(_ bytes: [UInt8]) -> Result<TokenizerInput, BadRecord> {
    do {
      return input(of: try JSONParser.parse(bytes))
    } catch {
      return .failure(BadRecord("it is not JSON: \(error.message)"))
    }
  }

  private func input(of value: JSONValue) -> Result<TokenizerInput, BadRecord> {
    switch value {
    case .string(let text): return .success(.single(text))
    case .array(let items):
      guard items.count == 2, case .string(let first) = items[0],
        case .string(let second) = items[1]
      else { return .failure(BadRecord("a list is a pair: two texts")) }
      return .success(.pair(first, second))
    case .object:
      return member(fields.text, of: value).flatMap { text in
        guard let second = fields.second else { return .success(.single(text)) }
        return member(second, of: value).map { .pair(text, $0) }
      }
    default:
      return .failure(BadRecord("it is \(value.kind), not a text, a pair or an object"))
    }
  }

  private func member(_ name: String, of value: JSONValue) -> Result<String, BadRecord> {
    switch value[name] {
    case .string(let text): .success(text)
    case nil: .failure(BadRecord("there is no member '\(name)'"))
    case let other?: .failure(BadRecord("the member '\(name)' is \(other.kind), not a string"))
    }
  }

  // MARK: - CSV

  private func input(ofCells cells: [String]) -> Result<TokenizerInput, BadRecord> {
    guard cells.count == columnCount else {
      return .failure(
        BadRecord("it has \(cells.count) cells and there are \(columnCount) columns"))
    }
    let text = cells[textColumn]
    return .success(secondColumn.map { .pair(text, cells[$0]) } ?? .single(text))
  }

  /// One record's cells; quoted ones may hold line ends. Nil at the end.
  private mutating func csvRecord() throws(BulkError) -> Result<[String], BadRecord>? {
    var bytes: [UInt8] = []
    var isInQuotes = false
    var hasBegun = false
    while true {
      guard let line = try line() else {
        if !hasBegun { return nil }
        return .failure(BadRecord("a quoted cell has no end"))
      }
      guard case .success(let part) = line, bytes.count + part.count <= Self.maxRecordBytes else {
        return .failure(Self.tooLong)
      }
      if hasBegun { bytes.append(UInt8(ascii: "\n")) }
      hasBegun = true
      // Two quotes within quotes end and begin again: that comes out right.
      for byte in part where byte == UInt8(ascii: "\"") { isInQuotes.toggle() }
      bytes += part
      if !isInQuotes { break }
    }
    return Self.cells(bytes)
  }

  private static func cells(_ record: [UInt8]) -> Result<[String], BadRecord> {
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
        let end = record[position...].firstIndex(of: UInt8(ascii: ",")) ?? record.count
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
      guard record[position] == UInt8(ascii: ",") else {
        return .failure(BadRecord("something follows a quoted cell"))
      }
      position += 1
    }
  }
}
