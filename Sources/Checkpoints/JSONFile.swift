package import JSON
import UntrustedInput

/// A small JSON file of a model folder: an object of settings.
package struct JSONFile {
  /// Configuration files take a few kilobytes; a tokenizer's with many added tokens some more.
  static let maximumSize = 1 << 20
  /// What Python's `json`, which writes these files, reads, but not halves of surrogate pairs; and a
  /// byte order mark.
  private static let limits = {
    var limits = JSONParser.Limits()
    limits.depth = 512
    limits.nameSize = ByteReader.maximumNameSize
    limits.takesNonFinite = true
    return limits
  }()

  let path: String
  private let members: [RawText: JSONValue]

  /// Reads a file whose top level is an object.
  package init(path: String) throws(CheckpointError) {
    try self.init(path: path, bytes: Self.bytes(path))
  }

  /// - Parameter path: for the errors; it is not read.
  init(path: String, bytes: [UInt8]) throws(CheckpointError) {
    try self.init(path: path, value: Self.parse(bytes, path))
  }

  private init(path: String, members: [RawText: JSONValue]) {
    self.path = path
    self.members = members
  }

  private init(path: String, value: JSONValue) throws(CheckpointError) {
    guard case .object(let members) = value else {
      throw .file(path: path, reason: "must hold a JSON object, has \(value.kind)")
    }
    self.init(path: path, members: members)
  }

  /// Reads a file whose top level is an array of objects.
  static func array(path: String) throws(CheckpointError) -> [JSONFile] {
    guard case .array(let values) = try parse(bytes(path), path) else {
      throw .file(path: path, reason: "must hold a JSON array of objects")
    }
    return try values.map { value throws(CheckpointError) in
      try JSONFile(path: path, value: value)
    }
  }

  private static func bytes(_ path: String) throws(CheckpointError) -> [UInt8] {
    let file = try ModelFile(path: path)
    guard file.size <= maximumSize else {
      throw .file(path: path, reason: "takes more than \(maximumSize) bytes")
    }
    return try file.copy()
  }

  private static func parse(
    _ bytes: [UInt8], _ path: String
  ) throws(CheckpointError) -> JSONValue {
    do {
      return try JSONParser.parse(file: bytes, limits: limits)
    } catch {
      throw .file(
        path: path,
        reason: "is not JSON in UTF-8, mend it or fetch it again: \(error.message(inFile: bytes))")
    }
  }

  /// Sorted.
  var keys: [String] { members.keys.sorted().map(\.string) }

  /// The key's value; null if missing.
  package subscript(key: String) -> JSONValue { members[RawText(key)] ?? .null }

  /// An integer in a range; nil if missing or null.
  func integer(_ key: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int? {
    if self[key] == .null { return nil }
    guard let value = self[key].integer(in: range) else {
      throw invalid(key, "must be an integer from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  func requiredInteger(_ key: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int {
    guard let value = try integer(key, in: range) else { throw invalid(key, "is missing") }
    return value
  }

  /// A number in a range; nil if missing or null.
  func number(_ key: String, in range: ClosedRange<Double>) throws(CheckpointError) -> Double? {
    let value: Double?
    switch self[key] {
    case .null: return nil
    case .double(let number): value = number
    case .integer: value = self[key].integer(in: -(1 << 53)...(1 << 53)).map(Double.init)
    default: value = nil
    }
    guard let value, range.contains(value) else {
      throw invalid(key, "must be a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  func boolean(_ key: String) throws(CheckpointError) -> Bool? {
    switch self[key] {
    case .null: return nil
    case .boolean(let value): return value
    default: throw invalid(key, "must be true or false")
    }
  }

  /// A string that is compared with others: see `ByteReader.name`.
  func string(_ key: String) throws(CheckpointError) -> String? {
    let limit = ByteReader.maximumNameSize
    switch self[key] {
    case .null: return nil
    case .string(let value) where value.utf8.count <= limit: return value
    default: throw invalid(key, "must be a string of at most \(limit) bytes")
    }
  }

  /// A list of strings; nil if missing or null.
  func strings(_ key: String) throws(CheckpointError) -> [String]? {
    let limit = 1 << 16
    if self[key] == .null { return nil }
    var strings: [String] = []
    if case .array(let items) = self[key], items.count <= limit {
      for case .string(let text) in items { strings.append(text) }
      if strings.count == items.count { return strings }
    }
    throw invalid(key, "must be a list of at most \(limit) strings")
  }

  /// An object within the file, read as one of its own; nil if missing or null.
  func object(_ key: String) throws(CheckpointError) -> JSONFile? {
    if self[key] == .null { return nil }
    guard case .object(let members) = self[key] else { throw invalid(key, "must be an object") }
    return JSONFile(path: path, members: members)
  }

  func invalid(_ key: String, _ reason: String) -> CheckpointError {
    .invalidValue(path: path, key: key, reason: "\(reason), is \(self[key].shown)")
  }
}

extension JSONValue {
  /// A whole number, also one that is written as 12.0 or 1e3; nil if it is not in the range.
  func integer(in range: ClosedRange<Int>) -> Int? {
    switch self {
    case .integer(let number): number.within(range)
    case .double(let number): Int(exactly: number).flatMap { range ~= $0 ? $0 : nil }
    default: nil
    }
  }
}
