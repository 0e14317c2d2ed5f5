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
    func malformed(_ reason: String) -> CheckpointError {
      .malformed(path: path, tensor: nil, offset: 0, reason: reason)
    }
    guard file.size >= 8 else {
      throw malformed("\(file.size) bytes are no safetensors file")
    }
    let length = unsafe UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(min(file.size - 8, Self.maximumHeaderSize)) else {
      throw malformed("a header of \(length) bytes in a file of \(file.size)")
    }
    let dataStart = 8 + Int(length)
    let text = unsafe [UInt8](file.bytes[8..<dataStart])
    let entries = try SafetensorsHeader.entries(
      of: text, path: path, start: 8, dataSize: file.size - dataStart)
    tensors = entries.map { entry in
      Tensor(
        name: entry.name, elementType: entry.elementType, shape: entry.shape, file: file,
        range: dataStart + entry.dataOffsets.lowerBound..<dataStart + entry.dataOffsets.upperBound)
    }
  }
}
