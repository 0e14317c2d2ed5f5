import JSON
import Serving
import UntrustedInput

/// An input tensor of an infer request, its elements in row-major order.
struct InferTensor {
  enum Elements {
    case texts([String])
    case integers([Untrusted<Int64>])
  }

  /// More than a body has.
  private static let maxElements = 1 << 31

  let name: RawText
  let shape: [Int]
  let elements: Elements

  /// - Parameter binary: the bytes of a tensor that is not in the JSON.
  init(
    _ body: BodyObject, binary: ArraySlice<UInt8>?, _ limits: BodyLimits
  ) throws(ServiceError) {
    guard let name = try body.string("name") else { throw .invalid("an input has no 'name'") }
    self.name = name
    let (shape, count) = try Self.shape(body, of: name)
    self.shape = shape
    let datatype = try body.string("datatype") ?? ""
    guard binary == nil || body["data"] == nil else {
      throw .invalid("input '\(name)' has both 'data' and 'binary_data_size'; give one")
    }
    // Of token ids the rows.
    try limits.check(texts: datatype == "BYTES" ? count : shape.first ?? 1)
    let size = datatype == "INT32" ? 4 : 8
    switch (datatype, binary) {
    case ("BYTES", let bytes?):
      elements = .texts(try Self.texts(bytes, name, count: count))
    case ("BYTES", nil): elements = .texts(try Self.texts(try Self.data(body, name), name))
    case ("INT32", let bytes?), ("INT64", let bytes?):
      elements = .integers(try Self.integers(bytes, size, name))
    case ("INT32", nil), ("INT64", nil):
      elements = .integers(try Self.integers(try Self.data(body, name), name))
    default:
      throw .invalid(
        "input '\(name)' has datatype '\(datatype)'; texts are BYTES, token ids INT32 or INT64")
    }
    let found =
      switch elements {
      case .texts(let texts): texts.count
      case .integers(let integers): integers.count
      }
    guard found == count else {
      throw .invalid("input '\(name)' has \(found) elements and its shape \(shape) says \(count)")
    }
  }

  private static func shape(
    _ body: BodyObject, of name: RawText
  ) throws(ServiceError) -> (sizes: [Int], count: Int) {
    guard case .array(let items)? = body["shape"] else {
      throw .invalid("input '\(name)' has no 'shape', a list of sizes")
    }
    var count = 1
    var sizes: [Int] = []
    for item in items {
      // So the product of two sizes in bounds does not overflow.
      guard case .integer(let claimed) = item, let size = claimed.within(0...maxElements),
        count * size <= maxElements
      else {
        throw .invalid(
          "the shape of input '\(name)' must be a list of sizes from 0 to \(maxElements), as is "
            + "their product")
      }
      count *= size
      sizes.append(size)
    }
    return (sizes, count)
  }

  private static func data(
    _ body: BodyObject, _ name: RawText
  ) throws(ServiceError) -> [JSONValue] {
    guard case .array(let items)? = body["data"] else {
      throw .invalid("input '\(name)' has neither 'data', a list, nor 'binary_data_size'")
    }
    return flat(items)
  }

  /// The specification lets data be flat or nested as its shape.
  private static func flat(_ items: [JSONValue]) -> [JSONValue] {
    guard items.contains(where: { if case .array = $0 { true } else { false } }) else {
      return items
    }
    return items.flatMap { item in
      if case .array(let items) = item { flat(items) } else { [item] }
    }
  }

  private static func texts(
    _ values: [JSONValue], _ name: RawText
  ) throws(ServiceError) -> [String] {
    var texts: [String] = []
    texts.reserveCapacity(values.count)
    for (index, value) in values.enumerated() {
      guard case .string(let text) = value else {
        throw .invalid(
          "element \(index) of input '\(name)' is \(value.kind); elements of BYTES are strings")
      }
      texts.append(text)
    }
    return texts
  }

  private static func integers(
    _ values: [JSONValue], _ name: RawText
  ) throws(ServiceError) -> [Untrusted<Int64>] {
    var integers: [Untrusted<Int64>] = []
    integers.reserveCapacity(values.count)
    for (index, value) in values.enumerated() {
      guard case .integer(let integer) = value else {
        throw .invalid("element \(index) of input '\(name)' is \(value.kind), not a whole number")
      }
      integers.append(integer)
    }
    return integers
  }

  /// Each element is its length, a little-endian UInt32, and its bytes.
  private static func texts(
    _ bytes: ArraySlice<UInt8>, _ name: RawText, count: Int
  ) throws(ServiceError) -> [String] {
    var texts: [String] = []
    var rest = bytes
    while !rest.isEmpty {
      guard texts.count < count else {
        throw .invalid("input '\(name)' has more elements than its shape says, \(count)")
      }
      guard rest.count >= 4,
        let length = Untrusted<UInt32>(littleEndian: rest.prefix(4)).within(0...rest.count - 4)
      else {
        throw .invalid("the binary data of input '\(name)' ends within an element")
      }
      rest = rest.dropFirst(4)
      guard let text = String(validating: rest.prefix(length), as: UTF8.self) else {
        throw .invalid("element \(texts.count) of input '\(name)' is not valid UTF-8")
      }
      texts.append(text)
      rest = rest.dropFirst(length)
    }
    return texts
  }

  private static func integers(
    _ bytes: ArraySlice<UInt8>, _ size: Int, _ name: RawText
  ) throws(ServiceError) -> [Untrusted<Int64>] {
    guard bytes.count % size == 0 else {
      throw .invalid("the binary data of input '\(name)' ends within an element")
    }
    return stride(from: bytes.startIndex, to: bytes.endIndex, by: size).map { start in
      Untrusted(littleEndian: bytes[start..<start + size])
    }
  }
}
