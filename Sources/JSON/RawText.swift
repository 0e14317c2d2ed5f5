public import UntrustedInput

/// Text from outside, compared byte by byte in linear time.
///
/// `String` compares and hashes by canonical equivalence, which takes time quadratic in a run of
/// combining marks: as a dictionary's key, or in `==` and `switch`, 64 KB of them took seconds. Names
/// and parameters that a client chooses are therefore never compared as `String`.
public struct RawText: Hashable, Comparable, Sendable, ExpressibleByStringLiteral {
  public let string: String

  public init(_ string: some StringProtocol) { self.string = String(string) }
  public init(stringLiteral value: String) { string = value }

  public var utf8: String.UTF8View { string.utf8 }
  public var isEmpty: Bool { string.isEmpty }

  /// Equality of the bytes.
  public static func == (first: RawText, second: RawText) -> Bool {
    first.utf8.count == second.utf8.count && first.utf8.elementsEqual(second.utf8)
  }

  /// The order of the bytes.
  public static func < (first: RawText, second: RawText) -> Bool {
    // The buffers do not leave the closures. As views of `String` this takes seconds when an answer
    // repeats, in order, the million members of an object that a client sent as `id`.
    let precedes = unsafe first.utf8.withContiguousStorageIfAvailable { first in
      unsafe second.utf8.withContiguousStorageIfAvailable { second in
        unsafe UnsafeRawBufferPointer(first).lexicographicallyPrecedes(
          UnsafeRawBufferPointer(second))
      }
    }
    return (precedes ?? nil) ?? first.utf8.lexicographicallyPrecedes(second.utf8)
  }

  public func hash(into hasher: inout Hasher) {
    let isContiguous: Void? = unsafe utf8.withContiguousStorageIfAvailable { bytes in
      // The buffer does not leave the closure.
      unsafe hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
    }
    if isContiguous == nil { for byte in utf8 { hasher.combine(byte) } }
  }

  /// What is left without these bytes at the end; nil if they are not there.
  public func dropping(suffix: RawText) -> RawText? {
    let count = utf8.count - suffix.utf8.count
    guard count >= 0, utf8.dropFirst(count).elementsEqual(suffix.utf8) else { return nil }
    return RawText(Substring(utf8.prefix(count)))
  }

  /// What is left without these bytes at the beginning; nil if they are not there.
  public func dropping(prefix: RawText) -> RawText? {
    guard utf8.starts(with: prefix.utf8) else { return nil }
    return RawText(Substring(utf8.dropFirst(prefix.utf8.count)))
  }

  /// With A to Z in lower case; other letters stay.
  public var asciiLowercased: RawText {
    RawText(
      String(
        decoding: utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self))
  }

  /// Without spaces and tabs at both ends.
  public var trimmed: RawText {
    var rest = utf8[...]
    while let first = rest.first, first == 0x20 || first == 0x09 { rest.removeFirst() }
    while let last = rest.last, last == 0x20 || last == 0x09 { rest.removeLast() }
    return RawText(Substring(rest))
  }

  /// The parts between these ASCII characters, empty ones included.
  public func split(_ separator: UInt8, maxSplits: Int = .max) -> [RawText] {
    utf8.split(separator: separator, maxSplits: maxSplits, omittingEmptySubsequences: false)
      .map { RawText(Substring($0)) }
  }

  /// A whole number in decimal digits, in the one way to write it: without leading zeros, `+` or
  /// `-0`; nil for anything else.
  public var integer: Untrusted<Int>? {
    guard let number = Untrusted<Int>(string), number.description.utf8.elementsEqual(utf8) else {
      return nil
    }
    return number
  }
}

extension RawText: CustomStringConvertible {
  /// Scalars that a message shows of a client's text.
  private static let shownScalars = 80

  /// For messages: cut after some scalars, since a client chooses the length.
  public var description: String {
    let scalars = string.unicodeScalars
    guard
      let end = scalars.index(
        scalars.startIndex, offsetBy: Self.shownScalars, limitedBy: scalars.endIndex),
      end < scalars.endIndex
    else { return string }
    return String(string.unicodeScalars[..<end]) + "…"
  }
}
