/// A file of named tensors: an 8-byte length, a JSON header of that length, then the data.
/// Source: https://github.com/huggingface/safetensors, "Format".
struct SafetensorsFile: Sendable {
  /// In the order of the data.
  let tensors: [Tensor]

  /// The format allows 100 MB; a large BERT's header takes 100 KB.
  static let maximumHeaderSize = 16 << 20

  /// Maps the file and checks all of its header; the data is not touched.
  init(path: String) throws(CheckpointError) {
    let file = try MappedFile(path: path)
    func malformed(_ reason: String, _ offset: Int, _ tensor: String? = nil) -> CheckpointError {
      .malformed(path: path, tensor: tensor, offset: offset, reason: reason)
    }
    guard file.size >= 8 else {
      throw malformed("\(file.size) bytes are no safetensors file", 0)
    }
    let length = unsafe UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(min(file.size - 8, Self.maximumHeaderSize)) else {
      throw malformed("a header of \(length) bytes in a file of \(file.size)", 0)
    }
    let dataStart = 8 + Int(length)
    let dataSize = file.size - dataStart
    let text = unsafe [UInt8](file.bytes[8..<dataStart])
    var entries = try SafetensorsHeader.entries(of: text, path: path, start: 8)
    // Empty tensors share their place with the one that follows them.
    entries.sort {
      ($0.dataOffsets.lowerBound, $0.dataOffsets.upperBound)
        < ($1.dataOffsets.lowerBound, $1.dataOffsets.upperBound)
    }

    var tensors: [Tensor] = []
    var end = 0
    for entry in entries {
      func wrong(_ reason: String) -> CheckpointError {
        malformed(reason, 8 + entry.position, entry.name)
      }
      let range = entry.dataOffsets
      guard range.upperBound <= dataSize else {
        throw wrong("its data ends at \(range.upperBound) of \(dataSize); is the file cut short?")
      }
      guard range.lowerBound == end else {
        throw wrong("its data begins at \(range.lowerBound), the one before it ends at \(end)")
      }
      var size = entry.elementType.size
      for length in entry.shape {
        let (product, overflow) = size.multipliedReportingOverflow(by: length)
        guard !overflow else { throw wrong("the shape \(entry.shape) overflows") }
        size = product
      }
      guard size == range.count else {
        throw wrong(
          "\(entry.elementType.rawValue) \(entry.shape) takes \(size) bytes, has \(range.count)")
      }
      end = range.upperBound
      tensors.append(
        Tensor(
          name: entry.name, elementType: entry.elementType, shape: entry.shape, file: file,
          range: dataStart + range.lowerBound..<dataStart + range.upperBound))
    }
    guard end == dataSize else {
      throw malformed("\(dataSize - end) bytes belong to no tensor", dataStart + end)
    }
    self.tensors = tensors
  }
}
