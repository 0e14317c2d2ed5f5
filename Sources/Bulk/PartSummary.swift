import JSON
import UntrustedInput

/// What stands beside a part, in `part-00000.records.json`: which records its rows are of, and of what
/// input it was made, so that who resumes can tell whether that is still the same.
struct PartSummary {
  /// Of the part's records, those left out too.
  var inputDigest: String
  /// Records left out.
  var skipped: Int
  /// Of the part's own file.
  var byteCount: Int

  init(inputDigest: String, skipped: Int, byteCount: Int) {
    self.inputDigest = inputDigest
    self.skipped = skipped
    self.byteCount = byteCount
  }

  /// Reads that of a part that is there.
  init(_ layout: OutputLayout, _ number: Int) throws(BulkError) {
    let path = Self.path(layout, number)
    let reader = try LineReader(path: path, limit: .max)
    var limits = JSONParser.Limits()
    limits.valueCount = .max
    guard case .bytes(let bytes)? = try reader.next(),
      let value = try? JSONParser.parse(bytes, limits: limits),
      case .string(let digest)? = value["input_sha256"],
      case .integer(let skipped)? = value["skipped"], let skipped = skipped.within(0...(.max)),
      case .integer(let bytes)? = value["part_bytes"], let byteCount = bytes.within(0...(.max))
    else { throw BulkError("\(path) is not what encode writes: choose another folder") }
    inputDigest = digest
    self.skipped = skipped
    self.byteCount = byteCount
  }

  /// - Parameters:
  ///   - rows: of each, the number and the name of its record.
  ///   - chunks: of each row, the UTF-8 bytes of its text; empty where records are not cut.
  func write(
    _ rows: some Sequence<(Int, String?)>, _ chunks: [Range<Int>], _ layout: OutputLayout,
    _ number: Int
  ) throws(BulkError) {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("input_sha256")
    writer.string(inputDigest)
    writer.key("skipped")
    writer.integer(skipped)
    writer.key("part_bytes")
    writer.integer(byteCount)
    writer.key("records")
    writer.beginArray()
    for (index, identifier) in rows {
      if let identifier { writer.string(identifier) } else { writer.integer(index) }
    }
    writer.endArray()
    if !chunks.isEmpty {
      writer.key("bytes")
      writer.beginArray()
      for bytes in chunks {
        writer.beginArray()
        writer.integer(bytes.lowerBound)
        writer.integer(bytes.upperBound)
        writer.endArray()
      }
      writer.endArray()
    }
    writer.endObject()
    let spool = try Spool(path: "\(layout.folder)/.\(layout.name(ofPart: number)).records")
    try spool.append(writer.bytes + [UInt8(ascii: "\n")])
    try spool.finish(as: Self.path(layout, number))
  }

  private static func path(_ layout: OutputLayout, _ number: Int) -> String {
    "\(layout.folder)/\(layout.name(ofPart: number)).records.json"
  }
}
