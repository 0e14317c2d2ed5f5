/// A state dictionary that `torch.save` has written: a pickle that names tensors, and the storages
/// that they lie in.
///
/// Source: PyTorch's `torch/serialization.py`, `_save` and `_legacy_save`.
struct PyTorchFile: Sendable {
  /// In the dictionary's order.
  let tensors: [Tensor]

  /// Of the pickles before the storages, which take 100 KB for BERT-large.
  private static let maximumPickleSize = 8 << 20

  init(path: String, verifiesChecksums: Bool = true) throws(CheckpointError) {
    let file = try ModelFile(path: path)
    if try ZipArchive.isPresent(in: file) {
      tensors = try Self.zipped(ZipArchive(file), verifiesChecksums)
    } else {
      tensors = try Self.legacy(file)
    }
  }

  /// Since PyTorch 1.6: `NAME/data.pkl`, and the storages as `NAME/data/KEY`.
  private static func zipped(
    _ archive: ZipArchive, _ verifiesChecksums: Bool
  ) throws(CheckpointError) -> [Tensor] {
    let file = archive.file
    let names = archive.members.keys.filter { $0.hasSuffix("/data.pkl") }
    guard names.count == 1, let name = names.first, let pickle = archive.members[name] else {
      throw .unsupported(
        path: file.path,
        reason: "a zip file of PyTorch's has one data.pkl, this one has \(names.count)")
    }
    let root = name.dropLast("data.pkl".count)
    if let order = archive.members["\(root)byteorder"],
      try file.bytes(order.content).bytes != Array("little".utf8)
    {
      throw .unsupported(path: file.path, reason: "big-endian values are not supported")
    }
    var reader = StateDictPickle(ByteReader(try file.bytes(pickle.content)))
    var checked: Set<String> = []
    return try tensors(reader.stateDictionary(), in: file) {
      (storage, name) throws(CheckpointError) in
      guard let member = archive.members["\(root)data/\(storage.key)"] else {
        throw .malformed(
          path: file.path, tensor: name, offset: pickle.content.lowerBound,
          reason: "there is no member data/\(storage.key)")
      }
      // Zero stands for "not computed", as PyTorch may be told.
      if verifiesChecksums, member.checksum != 0, checked.insert(storage.key).inserted {
        guard try FileNumber(file.checksum(.crc32, of: member.content)) == member.checksum else {
          throw .malformed(
            path: file.path, tensor: name, offset: member.content.lowerBound,
            reason: "the checksum of data/\(storage.key), \(member.content.count) bytes, is wrong")
        }
      }
      return member.content
    }
  }

  /// Before: a magic number, a version and the machine, then the dictionary and the storages' keys,
  /// each as a pickle, then the storages, each after its number of elements.
  private static func legacy(_ file: ModelFile) throws(CheckpointError) -> [Tensor] {
    var reader = ByteReader(try file.bytes(0..<min(file.size, maximumPickleSize)))
    let magic: [UInt8] = [
      0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
    ]
    for byte in magic {
      guard !reader.isAtEnd, try reader.byte() == byte else {
        throw reader.malformed("is not a file of torch.save, of any version", at: 0)
      }
    }
    for _ in ["version", "machine"] {
      var pickle = StateDictPickle(reader)
      _ = try pickle.value()
      reader = pickle.reader
    }
    var pickle = StateDictPickle(reader)
    let dictionary = try pickle.stateDictionary()
    var keys = StateDictPickle(pickle.reader)
    let order = try keys.texts()
    var types: [String: ElementType] = [:]
    for (_, tensor) in dictionary { types[tensor.storage.key] = tensor.storage.type }
    var storages: [String: Range<Int>] = [:]
    var offset = keys.reader.offset
    for key in order {
      guard let type = types[key] else {
        throw keys.reader.malformed("the storage \"\(key)\" is no tensor's", at: offset)
      }
      reader = ByteReader(try file.bytes(offset..<min(offset + 8, file.size)))
      let stated = try reader.number(bytes: 8)
      guard let count = stated.count(upTo: .max),
        let size = type.size(of: [count]),
        let storage = FileNumber.range(
          offset: FileNumber(reader.end), count: FileNumber(size), in: 0..<file.size)
      else {
        throw reader.malformed("a storage of \(stated) elements; is the file cut short?")
      }
      storages[key] = storage
      offset = storage.upperBound
    }
    return try tensors(dictionary, in: file) { (storage, name) throws(CheckpointError) in
      guard let range = storages[storage.key] else {
        throw .malformed(
          path: file.path, tensor: name, offset: keys.reader.offset,
          reason: "there is no storage \"\(storage.key)\"")
      }
      return range
    }
  }

  private static func tensors(
    _ dictionary: [(name: String, tensor: StateDictPickle.Tensor)], in file: ModelFile,
    _ place: (StateDictPickle.Storage, _ name: String) throws(CheckpointError) -> Range<Int>
  ) throws(CheckpointError) -> [Tensor] {
    var tensors: [Tensor] = []
    for (name, tensor) in dictionary {
      let storage = try place(tensor.storage, name)
      let type = tensor.storage.type
      guard let offset = type.size(of: [tensor.offset]), let size = type.size(of: tensor.shape),
        let range = FileNumber.range(
          offset: FileNumber(offset), count: FileNumber(size), in: 0..<storage.count)
      else {
        throw .malformed(
          path: file.path, tensor: name, offset: storage.lowerBound,
          reason: "\(type.rawValue) \(tensor.shape) from element \(tensor.offset) on does not fit "
            + "into its storage of \(storage.count) bytes")
      }
      guard let isTransposed = tensor.isTransposed else {
        throw .unsupported(
          path: file.path,
          reason: "tensor \"\(name)\": the strides \(tensor.strides) of \(tensor.shape) are not "
            + "supported, only whole tensors and whole matrices' transposes")
      }
      tensors.append(
        Tensor(
          name: name, elementType: type, shape: tensor.shape, file: file,
          range: storage.lowerBound + range.lowerBound..<storage.lowerBound + range.upperBound,
          isTransposed: isTransposed))
    }
    return tensors
  }
}

extension StateDictPickle.Tensor {
  /// Whether the elements lie one after the other by columns, not by rows; nil if neither.
  fileprivate var isTransposed: Bool? {
    guard strides.count == shape.count else { return nil }
    if Self.isDense(shape, strides) { return false }
    return shape.count == 2 && Self.isDense(shape.reversed(), strides.reversed()) ? true : nil
  }

  /// The stride of a length of 1 counts for nothing. Wraps where a length of 0 makes all empty.
  private static func isDense(_ shape: [Int], _ strides: [Int]) -> Bool {
    var step = 1
    for (length, stride) in zip(shape, strides).reversed() {
      guard length == 1 || stride == step else { return false }
      step &*= length
    }
    return true
  }
}
