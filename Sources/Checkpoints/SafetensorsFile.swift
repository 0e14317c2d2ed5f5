/// A file of named tensors: an 8-byte length, a JSON header of that length, then the data.
/// Source: https://github.com/huggingface/safetensors, "Format".
struct SafetensorsFile: Sendable {
  /// In the order of the data.
  let tensors: [Tensor]

  /// The format allows 100 MB; a large BERT's header takes 100 KB.
  static let maximumHeaderSize = 16 << 20

  /// Reads and checks all of the file's header; the data is not touched.
  init(path: String) throws(CheckpointError) {
    let file = try ModelFile(path: path)
    func malformed(_ reason: String) -> CheckpointError {
      .malformed(path: path, tensor: nil, offset: 0, reason: reason)
    }
    guard file.size >= 8 else {
      throw malformed("\(file.size) bytes are no safetensors file")
    }
    var start = ByteReader(try file.bytes(0..<8))
    let stated = try start.number(bytes: 8)
    guard let length = stated.count(upTo: min(file.size - 8, Self.maximumHeaderSize)) else {
      throw malformed("a header of \(stated) bytes in a file of \(file.size)")
    }
    let dataStart = 8 + length
    let entries = try SafetensorsHeader.entries(
      of: file.bytes(8..<dataStart).bytes, path: path, start: 8, dataSize: file.size - dataStart)
    // The header's check has seen to it that all data lies in the file.
    tensors = entries.map { entry in
      Tensor(
        name: entry.name, elementType: entry.elementType, shape: entry.shape, file: file,
        range: dataStart + entry.dataOffsets.lowerBound..<dataStart + entry.dataOffsets.upperBound)
    }
  }
}
