/// A place in a distributed trace (W3C Trace Context, version 00): the caller's trace, and this
/// request's own span in it.
public struct TraceParent: Sendable, Equatable {
  /// 32 hexadecimal digits.
  public let traceID: String
  /// 16 hexadecimal digits: the caller's span.
  public let parentID: String
  /// 16 hexadecimal digits, made here.
  public let spanID: String
  private let flags: String

  /// - Returns: nil if the field is malformed, which then counts as missing (section 3.2).
  init?(_ field: String) {
    let parts = field.utf8.split(
      separator: UInt8(ascii: "-"), maxSplits: 4, omittingEmptySubsequences: false
    ).map { Substring($0) }
    guard parts.count >= 4, Self.isHex(parts[0], 2), Self.isHex(parts[1], 32),
      Self.isHex(parts[2], 16), Self.isHex(parts[3], 2), parts[0] != "ff",
      parts.count == 4 || parts[0] != "00", parts[1].utf8.contains(where: { $0 != 0x30 }),
      parts[2].utf8.contains(where: { $0 != 0x30 })
    else { return nil }
    traceID = String(parts[1])
    parentID = String(parts[2])
    flags = String(parts[3])
    spanID = String(UInt64.random(in: UInt64(1) << 60 ... .max), radix: 16)
  }

  /// The field that the answer carries: same trace, our span.
  var field: String { "00-\(traceID)-\(spanID)-\(flags)" }

  private static func isHex(_ text: Substring, _ count: Int) -> Bool {
    text.utf8.count == count
      && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }
}
