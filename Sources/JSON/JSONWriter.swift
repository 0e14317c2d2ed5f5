import UntrustedInput

/// Appends one JSON text to an array of bytes.
///
/// Commas are put where they belong; that begins and ends match, and that an object's values have
/// keys, is the caller's care.
public struct JSONWriter: Sendable {
  public private(set) var bytes: [UInt8] = []
  private var needsComma = false

  /// - Parameter capacity: bytes to reserve.
  public init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  /// Hands over the bytes so far and goes on behind them: for answers sent piece by piece.
  public mutating func takeBytes() -> [UInt8] {
    let taken = bytes
    bytes = []
    return taken
  }

  public mutating func beginObject() { begin(UInt8(ascii: "{")) }
  public mutating func endObject() { end(UInt8(ascii: "}")) }
  public mutating func beginArray() { begin(UInt8(ascii: "[")) }
  public mutating func endArray() { end(UInt8(ascii: "]")) }

  public mutating func key(_ key: String) {
    string(key)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Quoted, and escaped where RFC 8259, section 7 asks for it.
  public mutating func string(_ value: String) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    var value = value
    value.withUTF8 { unsafe appendEscaped($0) }
    bytes.append(UInt8(ascii: "\""))
  }

  public mutating func integer(_ value: some FixedWidthInteger) {
    separate()
    var digits = value.magnitude
    if digits == 0 { bytes.append(UInt8(ascii: "0")) }
    if value < 0 { bytes.append(UInt8(ascii: "-")) }
    let start = bytes.count
    while digits != 0 {
      let (quotient, digit) = digits.quotientAndRemainder(dividingBy: 10)
      bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit))
      digits = quotient
    }
    bytes[start...].reverse()
  }

  /// The fewest digits that read back as the same number.
  ///
  /// - Precondition: `value.isFinite`, for JSON has neither NaN nor infinity.
  public mutating func double(_ value: Double) {
    precondition(value.isFinite, "JSON has no NaN and no infinity")
    separate()
    bytes += value.description.utf8
  }

  public mutating func boolean(_ value: Bool) {
    separate()
    bytes += (value ? "true" : "false").utf8
  }

  /// Any value, members by name; a number as it was read.
  public mutating func value(_ value: JSONValue) {
    switch value {
    case .null: null()
    case .boolean(let value): boolean(value)
    case .integer(let value):
      separate()
      bytes += value.description.utf8
    case .double(let value): double(value)
    case .largeNumber(let text):
      separate()
      bytes += text.utf8
    case .string(let value): string(value)
    case .array(let items):
      beginArray()
      for item in items { self.value(item) }
      endArray()
    case .object(let members):
      beginObject()
      for (name, member) in members.sorted(by: { $0.key < $1.key }) {
        key(name.string)
        self.value(member)
      }
      endObject()
    }
  }

  public mutating func null() {
    separate()
    bytes += "null".utf8
  }

  /// A number as `FloatWriter` writes it.
  ///
  /// - Precondition: `value.isFinite`, for JSON has neither NaN nor infinity.
  public mutating func float(_ value: Float) {
    precondition(value.isFinite, "JSON has no NaN and no infinity")
    separate()
    bytes += unsafe [UInt8](unsafeUninitializedCapacity: FloatWriter.maximumLength) {
      place, count in
      count = unsafe FloatWriter.write(value, to: place.baseAddress!)
    }
  }

  /// An array of numbers, as `FloatWriter` writes them.
  ///
  /// - Precondition: all are finite, for JSON has neither NaN nor infinity.
  public mutating func floats(_ values: Span<Float>) {
    separate()
    FloatWriter.appendArray(values, to: &bytes)
  }

  /// Bytes as a string in Base64, RFC 4648, section 4.
  public mutating func base64(_ value: Span<UInt8>) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    Base64.encode(value, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func begin(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func end(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  private mutating func appendEscaped(_ text: UnsafeBufferPointer<UInt8>) {
    var start = 0
    for index in text.indices {
      let byte = unsafe text[index]
      guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
        continue
      }
      unsafe bytes.append(contentsOf: text[start..<index])
      start = index + 1
      bytes.append(UInt8(ascii: "\\"))
      switch byte {
      case 0x08: bytes.append(UInt8(ascii: "b"))
      case 0x09: bytes.append(UInt8(ascii: "t"))
      case 0x0a: bytes.append(UInt8(ascii: "n"))
      case 0x0c: bytes.append(UInt8(ascii: "f"))
      case 0x0d: bytes.append(UInt8(ascii: "r"))
      case 0..<0x20:
        let digit = byte & 0xf
        bytes += "u00".utf8
        bytes.append(UInt8(ascii: "0") + byte >> 4)
        bytes.append(digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10))
      default: bytes.append(byte)
      }
    }
    unsafe bytes.append(contentsOf: text[start...])
  }
}
