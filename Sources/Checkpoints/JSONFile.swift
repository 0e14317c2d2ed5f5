import FoundationEssentials

/// A small JSON file of a model folder: an object of settings.
struct JSONFile {
  /// Configuration files take a few kilobytes; a tokenizer's with many added tokens some more.
  static let maximumSize = 1 << 20
  /// Bytes of a key, or of a string that is compared with others: see `ByteReader.name`.
  private static let maximumNameSize = ByteReader.maximumNameSize

  let path: String
  private let values: [String: JSONFileValue]

  /// Reads a file whose top level is an object.
  init(path: String) throws(CheckpointError) {
    try self.init(path: path, data: Self.data(path))
  }

  /// - Parameter path: for the errors; it is not read.
  init(path: String, data: Data) throws(CheckpointError) {
    self.init(path: path, values: try Self.decode([String: JSONFileValue].self, data, path))
  }

  private init(path: String, values: [String: JSONFileValue]) {
    self.path = path
    self.values = values
  }

  /// Reads a file whose top level is an array of objects.
  static func array(path: String) throws(CheckpointError) -> [JSONFile] {
    try decode([[String: JSONFileValue]].self, data(path), path)
      .map { JSONFile(path: path, values: $0) }
  }

  private static func data(_ path: String) throws(CheckpointError) -> Data {
    let file = try ModelFile(path: path)
    guard file.size <= maximumSize else {
      throw .file(path: path, reason: "takes more than \(maximumSize) bytes")
    }
    return Data(try file.bytes().bytes)
  }

  private static func decode<Value: Decodable>(
    _ type: Value.Type, _ data: Data, _ path: String
  ) throws(CheckpointError) -> Value {
    try checkKeys(data, path)
    do {
      return try JSONDecoder().decode(type, from: data)
    } catch {
      throw .file(path: path, reason: "is not JSON of the right form: \(error)")
    }
  }

  /// Refuses long keys before the decoder compares them.
  private static func checkKeys(_ data: Data, _ path: String) throws(CheckpointError) {
    var size = 0
    var isInString = false
    var isEscaped = false
    for byte in data {
      switch byte {
      // In UTF-8 only: there would be other quotes in the encodings of 16 and 32 bits, which have zeros.
      case 0: throw .file(path: path, reason: "is not JSON in UTF-8: it has a byte of 0")
      case _ where isEscaped: isEscaped = false
      case UInt8(ascii: "\\") where isInString: isEscaped = true
      case UInt8(ascii: "\""):
        isInString.toggle()
        if isInString { size = -1 }
      case UInt8(ascii: ":") where !isInString && size > maximumNameSize:
        throw .file(
          path: path, reason: "has a key of \(size) bytes, the most are \(maximumNameSize)")
      default: break
      }
      if isInString { size += 1 }
    }
  }

  var keys: Dictionary<String, JSONFileValue>.Keys { values.keys }

  /// The key's value; null if missing.
  subscript(key: String) -> JSONFileValue { values[key] ?? .null }

  /// An integer in a range; nil if missing or null.
  func integer(_ key: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int? {
    switch self[key] {
    case .null: return nil
    case .integer(let value) where range ~= value: return value
    default:
      throw invalid(key, "must be an integer from \(range.lowerBound) to \(range.upperBound)")
    }
  }

  func requiredInteger(_ key: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int {
    guard let value = try integer(key, in: range) else { throw invalid(key, "is missing") }
    return value
  }

  func boolean(_ key: String) throws(CheckpointError) -> Bool? {
    switch self[key] {
    case .null: return nil
    case .boolean(let value): return value
    default: throw invalid(key, "must be true or false")
    }
  }

  func string(_ key: String) throws(CheckpointError) -> String? {
    switch self[key] {
    case .null: return nil
    case .string(let value) where value.utf8.count <= Self.maximumNameSize: return value
    default: throw invalid(key, "must be a string of at most \(Self.maximumNameSize) bytes")
    }
  }

  func invalid(_ key: String, _ reason: String) -> CheckpointError {
    .invalidValue(path: path, key: key, reason: "\(reason), is \(self[key])")
  }
}

/// Any JSON value.
enum JSONFileValue: Decodable, Equatable, Sendable, CustomStringConvertible {
  case null
  case boolean(Bool)
  case integer(Int)
  /// A number that is no integer, or one beyond 64 bits.
  case number(Double)
  case string(String)
  case array([JSONFileValue])
  case object([String: JSONFileValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .boolean(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONFileValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONFileValue].self))
    }
  }

  /// Strings are equal byte by byte: see `ByteReader.name`.
  static func == (first: JSONFileValue, second: JSONFileValue) -> Bool {
    switch (first, second) {
    case (.null, .null): true
    case (.boolean(let first), .boolean(let second)): first == second
    case (.integer(let first), .integer(let second)): first == second
    case (.number(let first), .number(let second)): first == second
    case (.string(let first), .string(let second)): first.utf8.elementsEqual(second.utf8)
    case (.array(let first), .array(let second)): first == second
    case (.object(let first), .object(let second)): first == second
    default: false
    }
  }

  /// Short, for error messages.
  var description: String {
    switch self {
    case .null: "null"
    case .boolean(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let value): "\"\(value.prefix(64))\""
    case .array(let values): "a list of \(values.count)"
    case .object: "an object"
    }
  }
}
