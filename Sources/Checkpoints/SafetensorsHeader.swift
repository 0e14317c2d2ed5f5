import FoundationEssentials

/// The JSON at the start of a safetensors file, read strictly and in one pass.
///
/// Its grammar is small: an object of tensors, each an object of three known keys, and
/// `__metadata__`, an object of strings. So nothing here recurses, and a hostile header costs no
/// more than its own length.
/// Source: https://github.com/huggingface/safetensors, "Format".
struct SafetensorsHeader {
  struct Entry {
    var name: String
    var elementType: ElementType
    var shape: [Int]
    /// Bytes, from the end of the header.
    var dataOffsets: Range<Int>
    /// Where the entry's name begins in the file.
    var position: Int
  }

  /// BERT with 64 blocks has about 1,100 tensors.
  static let maximumEntryCount = 16_384
  static let maximumRank = 8

  private let path: String
  private let text: [UInt8]
  /// Bytes of the file before `text`.
  private let start: Int
  private var cursor = 0
  private var tensor: String?

  private init(path: String, text: [UInt8], start: Int) {
    self.path = path
    self.text = text
    self.start = start
  }

  /// The tensors in the order of their data, which they fill without holes and overlaps.
  ///
  /// - Parameters:
  ///   - start: bytes of the file before the text, for the offsets in errors.
  ///   - dataSize: bytes of the file behind the text.
  static func entries(
    of text: [UInt8], path: String, start: Int, dataSize: Int
  ) throws(CheckpointError) -> [Entry] {
    var reader = SafetensorsHeader(path: path, text: text, start: start)
    var entries = try reader.entries()
    // Empty tensors share their place with the one that follows them.
    entries.sort {
      ($0.dataOffsets.lowerBound, $0.dataOffsets.upperBound)
        < ($1.dataOffsets.lowerBound, $1.dataOffsets.upperBound)
    }
    try reader.checkLayout(of: entries, dataSize: dataSize)
    return entries
  }

  private mutating func entries() throws(CheckpointError) -> [Entry] {
    var entries: [Entry] = []
    var names: Set<String> = []
    // The format wants the brace first: no white space before it.
    guard text.first == UInt8(ascii: "{") else { throw malformed("the header begins with {") }
    try forEachMember { (reader, name, position) throws(CheckpointError) in
      guard name.utf8.allSatisfy({ $0 < 0x80 }) else {
        throw reader.malformed("the name \"\(name)\" is not ASCII", at: position)
      }
      guard names.insert(name).inserted else {
        throw reader.malformed("\"\(name)\" is there twice", at: position)
      }
      if name == "__metadata__" {
        try reader.forEachMember { (reader, _, _) throws(CheckpointError) in
          _ = try reader.string()
        }
        return
      }
      guard entries.count < Self.maximumEntryCount else {
        throw reader.malformed("more than \(Self.maximumEntryCount) tensors", at: position)
      }
      reader.tensor = name
      entries.append(try reader.entry(name, position))
      reader.tensor = nil
    }
    skipSpace()
    guard cursor == text.count else { throw malformed("text after the header's last brace") }
    return entries
  }

  private mutating func checkLayout(
    of entries: [Entry], dataSize: Int
  ) throws(CheckpointError) {
    var end = 0
    for entry in entries {
      tensor = entry.name
      let range = entry.dataOffsets
      guard range.upperBound <= dataSize else {
        throw malformed(
          "its data ends at \(range.upperBound) of \(dataSize); is the file cut short?",
          at: entry.position)
      }
      guard range.lowerBound == end else {
        throw malformed(
          "its data begins at \(range.lowerBound), the one before it ends at \(end)",
          at: entry.position)
      }
      guard let size = entry.elementType.size(of: entry.shape) else {
        throw malformed("the shape \(entry.shape) overflows", at: entry.position)
      }
      guard size == range.count else {
        throw malformed(
          "\(entry.elementType.rawValue) \(entry.shape) takes \(size) bytes, has \(range.count)",
          at: entry.position)
      }
      end = range.upperBound
    }
    tensor = nil
    guard end == dataSize else {
      throw malformed("\(dataSize - end) bytes belong to no tensor", at: text.count + end)
    }
  }

  private mutating func entry(
    _ name: String, _ position: Int
  ) throws(CheckpointError) -> Entry {
    var elementType: ElementType?
    var shape: [Int]?
    var offsets: [Int]?
    try forEachMember { (reader, key, position) throws(CheckpointError) in
      switch key {
      case "dtype" where elementType == nil:
        let dtype = try reader.name()
        elementType = ElementType(rawValue: dtype)
        if elementType == nil {
          throw reader.malformed("dtype \"\(dtype)\" is not known", at: position)
        }
      case "shape" where shape == nil:
        shape = try reader.integers()
      case "data_offsets" where offsets == nil:
        offsets = try reader.integers()
      case "dtype", "shape", "data_offsets":
        throw reader.malformed("\"\(key)\" is there twice", at: position)
      default:
        throw reader.malformed("\"\(key)\" is not a key of a tensor", at: position)
      }
    }
    guard let elementType, let shape, let offsets else {
      throw malformed("dtype, shape and data_offsets are needed")
    }
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw malformed("data_offsets must be [begin, end] with begin ≤ end")
    }
    return Entry(
      name: name, elementType: elementType, shape: shape, dataOffsets: offsets[0]..<offsets[1],
      position: position)
  }

  // MARK: JSON

  /// Reads an object, calling `value` with the cursor at each member's value.
  private mutating func forEachMember(
    _ value: (inout Self, _ key: String, _ position: Int) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    try expect("{")
    if take("}") { return }
    repeat {
      skipSpace()
      let position = cursor
      let key = try name()
      try expect(":")
      try value(&self, key, position)
    } while take(",")
    try expect("}")
  }

  /// A string that is compared with others: see `ByteReader.name`.
  private mutating func name() throws(CheckpointError) -> String {
    let (position, name) = (cursor, try string())
    guard name.utf8.count <= ByteReader.maximumNameSize else {
      throw malformed(
        "a name of \(name.utf8.count) bytes, the most are \(ByteReader.maximumNameSize)",
        at: position)
    }
    return name
  }

  private mutating func string() throws(CheckpointError) -> String {
    try expect("\"")
    let first = cursor
    var isEscaped = false
    while cursor < text.count, text[cursor] != UInt8(ascii: "\"") {
      guard text[cursor] >= 0x20 else { throw malformed("a control character in a string") }
      if text[cursor] == UInt8(ascii: "\\") {
        isEscaped = true
        cursor += 1
      }
      cursor += 1
    }
    guard cursor < text.count else { throw malformed("a string does not end", at: first) }
    let content = text[first..<cursor]
    cursor += 1
    if isEscaped {
      // Tensor names have no escapes: the slow way will do.
      let quoted = Data(text[first - 1..<cursor])
      guard let string = try? JSONDecoder().decode(String.self, from: quoted) else {
        throw malformed("a string has a wrong escape", at: first)
      }
      return string
    }
    guard let string = String(validating: content, as: UTF8.self) else {
      throw malformed("a string is not UTF-8", at: first)
    }
    return string
  }

  /// Reads an array of integers from 0 to 2^63 - 1.
  private mutating func integers() throws(CheckpointError) -> [Int] {
    try expect("[")
    if take("]") { return [] }
    var values: [Int] = []
    repeat {
      guard values.count < Self.maximumRank else {
        throw malformed("more than \(Self.maximumRank) numbers in a list")
      }
      values.append(try integer())
    } while take(",")
    try expect("]")
    return values
  }

  private mutating func integer() throws(CheckpointError) -> Int {
    skipSpace()
    let first = cursor
    var value = 0
    while cursor < text.count, case let digit = Int(text[cursor]) - 0x30, 0...9 ~= digit {
      let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = scaled.addingReportingOverflow(digit)
      guard !overflow, !carry else { throw malformed("a number over 2^63 - 1", at: first) }
      value = sum
      cursor += 1
    }
    guard cursor > first, text[first] != 0x30 || cursor == first + 1 else {
      throw malformed("a number that is not an integer from 0 up", at: first)
    }
    return value
  }

  private mutating func skipSpace() {
    while cursor < text.count {
      switch text[cursor] {
      case 0x20, 0x09, 0x0a, 0x0d: cursor += 1
      default: return
      }
    }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard cursor < text.count, text[cursor] == UInt8(ascii: character) else { return false }
    cursor += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(CheckpointError) {
    guard take(character) else { throw malformed("\(character) is expected here") }
  }

  private func malformed(_ reason: String, at position: Int? = nil) -> CheckpointError {
    .malformed(path: path, tensor: tensor, offset: start + (position ?? cursor), reason: reason)
  }
}
