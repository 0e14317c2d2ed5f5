/// A request's path and query, decoded.
///
/// One rule for how a path may be written: percent-encodings are decoded within each part between
/// slashes, then empty parts are dropped (`//health`, `/health/`), `.` is dropped and `..` drops
/// the part before it (RFC 3986 section 5.2.4; above the root it is refused). So `/a/../health` and
/// `/%68ealth` are `/health`, and an encoded slash stays inside its part.
public struct RequestTarget: Equatable, Sendable {
  public struct QueryItem: Equatable, Sendable {
    public var name: String
    /// Empty without an `=`.
    public var value: String

    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// Whether the target is `*`: OPTIONS of the server as a whole.
  public var isAsterisk: Bool
  /// The parts of the path; none for `/` and `*`.
  public var components: [String]
  /// In the order written.
  public var query: [QueryItem]

  /// `/` and the parts with slashes between, or `*`.
  public var path: String {
    isAsterisk ? "*" : "/" + components.joined(separator: "/")
  }

  /// - Parameter target: origin form or `*`, as in `Request.head.path`.
  public init(_ target: String) throws(HTTPFailure) {
    isAsterisk = target.utf8.elementsEqual("*".utf8)
    components = []
    query = []
    if isAsterisk { return }
    let parts = target.utf8.split(
      separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
    for part in parts[0].split(separator: UInt8(ascii: "/")) {
      let component = try Self.decode(part, plusIsSpace: false)
      // As bytes: comparing what a client wrote as `String` may take quadratic time.
      if component.utf8.elementsEqual(".".utf8) { continue }
      guard component.utf8.elementsEqual("..".utf8) else {
        components.append(component)
        continue
      }
      guard components.popLast() != nil else {
        throw .malformed("the path leads above its root with ..")
      }
    }
    guard parts.count > 1 else { return }
    for item in parts[1].split(separator: UInt8(ascii: "&")) {
      let sides = item.split(
        separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      query.append(
        QueryItem(
          name: try Self.decode(sides[0], plusIsSpace: true),
          value: sides.count > 1 ? try Self.decode(sides[1], plusIsSpace: true) : ""))
    }
  }

  private static func decode(
    _ text: Substring.UTF8View, plusIsSpace: Bool
  ) throws(HTTPFailure) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var iterator = text.makeIterator()
    while let byte = iterator.next() {
      switch byte {
      case UInt8(ascii: "%"):
        guard let high = iterator.next()?.hexadecimalValue,
          let low = iterator.next()?.hexadecimalValue, high | low != 0
        else { throw .malformed("the request target has an invalid percent-encoding") }
        bytes.append(high << 4 | low)
      case UInt8(ascii: "+") where plusIsSpace:
        bytes.append(0x20)
      default:
        bytes.append(byte)
      }
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else {
      throw .malformed("the request target is not UTF-8 once decoded")
    }
    return decoded
  }
}
