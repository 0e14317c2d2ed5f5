import JSON

/// What stands before the elements in a file of tensors.
public enum TensorHead {
  /// NumPy's format, version 1.0 (numpy.lib.format): magic, header length, a Python literal padded
  /// so that the elements start at a multiple of 64.
  ///
  /// - Precondition: not bfloat16, which NumPy does not have.
  public static func npy(shape: [Int], _ elements: ElementFormat) -> [UInt8] {
    precondition(elements != .bfloat16, "NumPy has no bfloat16")
    let type = elements == .float16 ? "<f2" : "<f4"
    let sizes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }"
    let padding = 64 - (10 + header.utf8.count + 1) % 64
    header += String(repeating: " ", count: padding % 64) + "\n"
    let length = header.utf8.count
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)]
      + Array(header.utf8)
  }

  /// One tensor of a safetensors file.
  public struct Entry: Sendable {
    public var name: String
    /// As the format names it: F32, I64.
    public var type: String
    public var shape: [Int]
    /// Bytes of all its elements.
    public var size: Int

    public init(name: String, type: String, shape: [Int], size: Int) {
      self.name = name
      self.type = type
      self.shape = shape
      self.size = size
    }

    public init(name: String, shape: [Int], _ elements: ElementFormat) {
      self.init(
        name: name, type: elements.safetensorsName, shape: shape,
        size: shape.reduce(elements.size, *))
    }
  }

  /// safetensors: header length, JSON header padded with spaces to a multiple of 8; the elements of
  /// the entries follow, in their order.
  public static func safetensors(
    _ entries: [Entry], metadata: KeyValuePairs<String, String>
  ) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("__metadata__")
    writer.beginObject()
    for (name, value) in metadata {
      writer.key(name)
      writer.string(value)
    }
    writer.endObject()
    var offset = 0
    for entry in entries {
      writer.key(entry.name)
      writer.beginObject()
      writer.key("dtype")
      writer.string(entry.type)
      writer.key("shape")
      writer.beginArray()
      for size in entry.shape { writer.integer(size) }
      writer.endArray()
      writer.key("data_offsets")
      writer.beginArray()
      writer.integer(offset)
      writer.integer(offset + entry.size)
      writer.endArray()
      writer.endObject()
      offset += entry.size
    }
    writer.endObject()
    var header = writer.takeBytes()
    header += Array(repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    let length = UInt64(header.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + header
  }
}

extension ElementFormat {
  var safetensorsName: String {
    switch self {
    case .float32: "F32"
    case .float16: "F16"
    case .bfloat16: "BF16"
    }
  }
}
