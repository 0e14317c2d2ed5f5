import FoundationEssentials

/// A small JSON file of a model folder: an object of settings.
struct JSONFile {
  /// Configuration files take a few kilobytes; a tokenizer's with many added tokens some more.
  static let maximumSize = 1 << 20

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
    do {
      return try JSONDecoder().decode(type, from: data)
    } catch {
      throw .file(path: path, reason: "is not JSON of the right form: \(error)")
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
    case .string(let value): return value
    default: throw invalid(key, "must be a string")
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
