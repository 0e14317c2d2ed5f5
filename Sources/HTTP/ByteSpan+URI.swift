import Glibc
import UntrustedInput

/// Parts of a URI, RFC 3986; an obsolete or a lenient form may be read otherwise by a proxy in front.
extension Span where Element == UInt8 {
  /// Whether this is the path and query of a target: `*( pchar / "/" / "?" )` with no `%00`.
  var isPathAndQuery: Bool {
    isEncoded { byte in
      switch byte {
      // : @ / ?
      case 0x3A, 0x40, 0x2F, 0x3F: true
      default: byte.isNameByte
      }
    }
  }

  /// `uri-host [ ":" port ]` (RFC 9110 section 7.2); an http URI has no empty host (section 4.2.1).
  var isAuthority: Bool {
    let isLiteral = !isEmpty && self[0] == UInt8(ascii: "[")
    let bracket = isLiteral ? firstIndex(of: UInt8(ascii: "]")) : nil
    let colon = firstIndex(of: UInt8(ascii: ":"), from: bracket ?? 0)
    let host = extracting(0..<(colon ?? count))
    if let colon, colon + 1 < count {
      let port = Untrusted<UInt16>(decimal: extracting(colon + 1..<count))
      if port == nil { return false }
    }
    if isLiteral {
      return bracket == host.count - 1 && host.extracting(1..<host.count - 1).isAddress
    }
    return !host.isEmpty && host.isEncoded(\.isNameByte)
  }

  /// `IPv6address / IPvFuture`, section 3.2.2.
  private var isAddress: Bool {
    if !isEmpty, self[0] | 0x20 == UInt8(ascii: "v") {
      guard let dot = firstIndex(of: UInt8(ascii: ".")), dot > 1, dot + 1 < count else {
        return false
      }
      let (version, address) = (extracting(1..<dot), extracting(dot + 1..<count))
      return version.indices.allSatisfy { version[$0].hexadecimalValue != nil }
        && address.indices.allSatisfy { address[$0].isNameByte || address[$0] == UInt8(ascii: ":") }
    }
    var address = in6_addr()
    return unsafe inet_pton(AF_INET6, string, &address) == 1
  }

  /// Whether each byte is such a one, or of a percent-encoding of another character than NUL.
  private func isEncoded(_ isPlain: (UInt8) -> Bool) -> Bool {
    var index = 0
    while index < count {
      let byte = self[index]
      index += 1
      if isPlain(byte) { continue }
      guard byte == UInt8(ascii: "%"), index + 1 < count, let high = self[index].hexadecimalValue,
        let low = self[index + 1].hexadecimalValue, high | low != 0
      else { return false }
      index += 2
    }
    return true
  }
}

extension UInt8 {
  /// unreserved or sub-delims, RFC 3986 section 2.
  fileprivate var isNameByte: Bool {
    switch self {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    // ! $ & ' ( ) * + , - . ; = _ ~
    case 0x21, 0x24, 0x26...0x2E, 0x3B, 0x3D, 0x5F, 0x7E: true
    default: false
    }
  }
}
