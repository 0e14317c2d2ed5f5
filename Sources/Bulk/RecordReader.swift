import JSON
import Tokenizers
import UntrustedInput

/// The records of files, in their order.
public struct RecordReader {
  /// Bytes of a line, or of a CSV record: more is a bad record.
  public static let maxRecordBytes = 8 << 20

  private var files: ArraySlice<InputFile>
  private let fields: Fields
  private let mostRecords: Int
  private var lines: LineReader?
  private var items: JSONArrayReader?
  private var table: TableReader?
  private var file = InputFile.none
  private var lineNumber = 0
  private var index = 0
  private var bytesOfEarlierFiles = 0

  /// Bytes of the files that the records so far took.
  public var consumedBytes: Int { bytesOfEarlierFiles + (lines?.consumedBytes ?? 0) }

  /// - Parameter mostRecords: what comes behind that many is not read; nil: all are.
  public init(_ files: [InputFile], fields: Fields, mostRecords: Int? = nil) {
    self.files = files[...]
    self.fields = fields
    self.mostRecords = mostRecords ?? .max
  }

  /// The next record; nil after the last of the last file.
  public mutating func next() throws(BulkError) -> Record? {
    guard index < mostRecords else { return nil }
    while true {
      if lines == nil {
        guard let file = files.popFirst() else { return nil }
        try open(file)
      }
      if let record = try nextOfFile() { return record }
      bytesOfEarlierFiles += lines?.consumedBytes ?? 0
      try checkUnchanged()
      lines = nil
    }
  }

  /// Called at each file's end, and where reading stops within one.
  public func checkUnchanged() throws(BulkError) {
    if lines != nil { try file.checkUnchanged() }
  }

  private mutating func open(_ file: InputFile) throws(BulkError) {
    self.file = file
    let lines = try LineReader(path: file.path, name: file.name, limit: Self.maxRecordBytes)
    self.lines = lines
    lineNumber = 0
    (items, table) = (nil, nil)
    if file.format == .json {
      items = JSONArrayReader(lines, name: file.name, limit: Self.maxRecordBytes)
    } else if let separator = file.format.separator {
      table = try TableReader(lines, name: file.name, separator: separator, fields)
    }
  }

  /// What a record is made of, before it has its number and place.
  struct Content {
    var identifier: String?
    var input: Result<TokenizerInput, BadRecord>
    var line: Int
  }

  private mutating func nextOfFile() throws(BulkError) -> Record? {
    let content: Content?
    switch file.format {
    case .text:
      content = try line().map { Content(input: $0.bytes.flatMap(Self.text), line: $0.line) }
    case .document: content = try document()
    case .jsonl: content = try jsonLine()
    case .json: content = try jsonItem()
    case .csv, .tsv: content = try table?.next()
    }
    guard let content else { return nil }
    defer { index += 1 }
    return Record(
      index: index, place: "\(file.name):\(content.line)", identifier: content.identifier,
      input: content.input)
  }

  private mutating func line() throws(BulkError) -> (
    bytes: Result<[UInt8], BadRecord>, line: Int
  )? {
    lineNumber += 1
    switch try lines?.next() {
    case nil: return nil
    case .tooLong: return (.failure(Self.tooLong), lineNumber)
    case .bytes(let bytes): return (.success(bytes), lineNumber)
    }
  }

  /// The whole file, its line ends as LF.
  private mutating func document() throws(BulkError) -> Content? {
    guard lineNumber == 0 else { return nil }
    lineNumber = 1
    var text: [UInt8] = []
    var isFirst = true
    var isTooLong = false
    while let line = try lines?.next() {
      if case .bytes(let bytes) = line, !isTooLong {
        if !isFirst { text.append(UInt8(ascii: "\n")) }
        text += bytes
      }
      isFirst = false
      isTooLong = isTooLong || line.isTooLong || text.count > Self.maxRecordBytes
    }
    return Content(
      identifier: file.name, input: isTooLong ? .failure(Self.tooLong) : Self.text(text), line: 1)
  }

  static let tooLong = BadRecord("it is longer than \(maxRecordBytes >> 20) MiB")

  private static func text(_ bytes: [UInt8]) -> Result<TokenizerInput, BadRecord> {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      return .failure(BadRecord("it is not valid UTF-8"))
    }
    return .success(.single(text))
  }

  // MARK: - JSON

  private mutating func jsonLine() throws(BulkError) -> Content? {
    while let line = try line() {
      switch line.bytes {
      case .success([]): continue
      case .success(let bytes): return content(ofJSON: bytes, line.line)
      case .failure(let reason): return Content(input: .failure(reason), line: line.line)
      }
    }
    return nil
  }

  private mutating func jsonItem() throws(BulkError) -> Content? {
    guard let item = try items?.next() else { return nil }
    guard let bytes = item.bytes else {
      return Content(input: .failure(Self.tooLong), line: item.line)
    }
    return content(ofJSON: bytes, item.line)
  }

  private func content(ofJSON bytes: [UInt8], _ line: Int) -> Content {
    let value: JSONValue
    do {
      value = try JSONParser.parse(bytes)
    } catch {
      return Content(input: .failure(BadRecord("it is not JSON: \(error.message)")), line: line)
    }
    guard let name = fields.identifier else { return Content(input: input(of: value), line: line) }
    switch identifier(name, of: value) {
    case .success(let identifier):
      return Content(identifier: identifier, input: input(of: value), line: line)
    case .failure(let reason): return Content(input: .failure(reason), line: line)
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
      return member(fields.textName, of: value).flatMap { text in
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

  /// A record's own name may be an integer, too.
  private func identifier(_ name: String, of value: JSONValue) -> Result<String, BadRecord> {
    guard case .object = value else {
      return .failure(BadRecord("it is \(value.kind), which has no member '\(name)'"))
    }
    switch value[name] {
    case .integer(let number): return .success(number.description)
    case .string(let text): return .success(text)
    case nil: return .failure(BadRecord("there is no member '\(name)'"))
    case let other?:
      return .failure(
        BadRecord(
          "the member '\(name)' is \(other.kind), not a string or a 64-bit integer"))
    }
  }
}
