import JSON
import UntrustedInput

/// The JSON at the start of a safetensors file, read strictly.
///
/// Its grammar is small: an object of tensors, each an object of three known keys, and
/// `__metadata__`, an object of strings. A hostile header costs no more than its own length.
/// Source: https://github.com/huggingface/safetensors, "Format".
struct SafetensorsHeader {
  struct Entry {
    var name: String
    var elementType: ElementType
    var shape: [Int]
    /// Bytes, from the end of the header.
    var dataOffsets: Range<Int>
    /// Where the entry begins in the text, behind its name.
    var position: Int
  }

  /// BERT with 64 blocks has about 1,100 tensors.
  static let maximumEntryCount = 16_384
  static let maximumRank = 8

  private static let limits = {
    var limits = JSONParser.Limits()
    limits.nameSize = ByteReader.maximumNameSize
    return limits
  }()

  private let path: String
  private let text: [UInt8]
  /// Bytes of the file before `text`.
  private let start: Int

  /// The tensors in the order of their data, which they fill without holes and overlaps.
  ///
  /// - Parameters:
  ///   - start: bytes of the file before the text, for the offsets in errors.
  ///   - dataSize: bytes of the file behind the text.
  static func entries(
    of text: [UInt8], path: String, start: Int, dataSize: Int
  ) throws(CheckpointError) -> [Entry] {
    let header = SafetensorsHeader(path: path, text: text, start: start)
    var entries = try header.entries()
    // Empty tensors share their place with the one that follows them.
    entries.sort {
      ($0.dataOffsets.lowerBound, $0.dataOffsets.upperBound)
        < ($1.dataOffsets.lowerBound, $1.dataOffsets.upperBound)
    }
    try header.checkLayout(of: entries, dataSize: dataSize)
    return entries
  }

  private func entries() throws(CheckpointError) -> [Entry] {
    var entries: [Entry] = []
    var names: Set<String> = []
    // The format wants the brace first: no white space before it.
    guard text.first == UInt8(ascii: "{") else {
      throw malformed(nil, "the header begins with {", at: 0)
    }
    try forEachMember(of: nil, at: text.indices) { (name, value) throws(CheckpointError) in
      guard name.utf8.allSatisfy({ $0 < 0x80 }) else {
        throw malformed(nil, "the name \"\(name)\" is not ASCII", at: value.lowerBound)
      }
      guard names.insert(name).inserted else {
        throw malformed(nil, "\"\(name)\" is there twice", at: value.lowerBound)
      }
      if name == "__metadata__" {
        try forEachMember(of: nil, at: value) { (_, value) throws(CheckpointError) in
          _ = try string(of: nil, at: value)
        }
        return
      }
      guard entries.count < Self.maximumEntryCount else {
        throw malformed(
          nil, "more than \(Self.maximumEntryCount) tensors", at: value.lowerBound)
      }
      entries.append(try entry(name, at: value))
    }
    return entries
  }

  private func checkLayout(
    of entries: [Entry], dataSize: Int
  ) throws(CheckpointError) {
    var end = 0
    for entry in entries {
      let range = entry.dataOffsets
      guard range.upperBound <= dataSize else {
        throw malformed(
          entry.name, "its data ends at \(range.upperBound) of \(dataSize); is the file cut short?",
          at: entry.position)
      }
      guard range.lowerBound == end else {
        throw malformed(
          entry.name, "its data begins at \(range.lowerBound), the one before it ends at \(end)",
          at: entry.position)
      }
      guard let size = entry.elementType.size(of: entry.shape) else {
        throw malformed(entry.name, "the shape \(entry.shape) overflows", at: entry.position)
      }
      guard size == range.count else {
        throw malformed(
          entry.name,
          "\(entry.elementType.rawValue) \(entry.shape) takes \(size) bytes, has \(range.count)",
          at: entry.position)
      }
      end = range.upperBound
    }
    guard end == dataSize else {
      throw malformed(nil, "\(dataSize - end) bytes belong to no tensor", at: text.count + end)
    }
  }

  private func entry(
    _ name: String, at range: Range<Int>
  ) throws(CheckpointError) -> Entry {
    var elementType: ElementType?
    var shape: [Int]?
    var offsets: [Int]?
    try forEachMember(of: name, at: range) { (key, value) throws(CheckpointError) in
      switch key {
      case "dtype" where elementType == nil:
        let type = try string(of: name, at: value)
        guard let known = ElementType.allCases.first(where: { RawText($0.rawValue) == type }) else {
          throw malformed(name, "dtype \"\(type)\" is not known", at: value.lowerBound)
        }
        elementType = known
      case "shape" where shape == nil:
        shape = try integers(of: name, at: value)
      case "data_offsets" where offsets == nil:
        offsets = try integers(of: name, at: value)
      case "dtype", "shape", "data_offsets":
        throw malformed(name, "\"\(key)\" is there twice", at: value.lowerBound)
      default:
        throw malformed(name, "\"\(key)\" is not a key of a tensor", at: value.lowerBound)
      }
    }
    guard let elementType, let shape, let offsets else {
      throw malformed(name, "dtype, shape and data_offsets are needed", at: range.lowerBound)
    }
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw malformed(
        name, "data_offsets must be [begin, end] with begin ≤ end", at: range.lowerBound)
    }
    return Entry(
      name: name, elementType: elementType, shape: shape, dataOffsets: offsets[0]..<offsets[1],
      position: range.lowerBound)
  }

  // MARK: JSON

  private func string(
    of tensor: String?, at range: Range<Int>
  ) throws(CheckpointError) -> RawText {
    guard case .string(let text) = try value(of: tensor, at: range) else {
      throw malformed(tensor, "a string is expected here", at: range.lowerBound)
    }
    return RawText(text)
  }

  private func integers(
    of tensor: String, at range: Range<Int>
  ) throws(CheckpointError) -> [Int] {
    let most = Self.maximumRank
    guard case .array(let items) = try value(of: tensor, at: range), items.count <= most else {
      throw malformed(tensor, "a list of at most \(most) integers is needed", at: range.lowerBound)
    }
    return try items.map { item throws(CheckpointError) in
      guard case .integer(let number) = item, let number = number.within(0...Int.max) else {
        throw malformed(
          tensor, "\(item.shown) is no integer from 0 to 2^63 - 1", at: range.lowerBound)
      }
      return number
    }
  }

  private func value(
    of tensor: String?, at range: Range<Int>
  ) throws(CheckpointError) -> JSONValue {
    var limits = Self.limits
    // More than any that is taken.
    limits.valueCount = 64
    do {
      return try JSONParser.parse(text.span, at: range, limits: limits)
    } catch {
      throw malformed(tensor, error.reason, at: error.offset)
    }
  }

  private func forEachMember(
    of tensor: String?, at range: Range<Int>,
    _ body: (_ name: String, _ value: Range<Int>) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    do {
      try JSONParser.forEachMember(text.span, at: range, limits: Self.limits, body)
    } catch let error as JSONError {
      throw malformed(tensor, error.reason, at: error.offset)
    } catch let error as CheckpointError {
      throw error
    } catch {
      throw malformed(tensor, "cannot be read: \(error)", at: range.lowerBound)
    }
  }

  private func malformed(_ tensor: String?, _ reason: String, at position: Int) -> CheckpointError {
    .malformed(path: path, tensor: tensor, offset: start + position, reason: reason)
  }
}
