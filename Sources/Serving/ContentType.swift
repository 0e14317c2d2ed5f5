import JSON

/// The kinds of body that routes read.
package enum ContentType: Equatable, Sendable {
  /// No type, or what `curl -d` says of any body: JSON if it parses as such, else text.
  case unstated
  case text
  case json
  case ndjson
  /// KServe's JSON with tensors behind it.
  case binary

  package var name: String {
    switch self {
    case .unstated: "application/x-www-form-urlencoded"
    case .text: "text/plain"
    case .json: "application/json"
    case .ndjson: "application/x-ndjson"
    case .binary: "application/octet-stream"
    }
  }

  /// Reads a Content-Type field (RFC 9110 §8.3); nil if the type, or its charset, is none of ours.
  package init?(field: String?) {
    guard let field else {
      self = .unstated
      return
    }
    let parts = RawText(field).split(UInt8(ascii: ";"))
    for parameter in parts.dropFirst() {
      let pair = parameter.split(UInt8(ascii: "="), maxSplits: 1)
      guard pair.count == 2, pair[0].trimmed.asciiLowercased == "charset" else { continue }
      // ASCII is UTF-8 as it stands.
      switch pair[1].trimmed.asciiLowercased {
      case "utf-8", "\"utf-8\"", "utf8", "\"utf8\"", "us-ascii", "\"us-ascii\"": break
      default: return nil
      }
    }
    switch parts[0].trimmed.asciiLowercased {
    case "", "application/x-www-form-urlencoded": self = .unstated
    case "text/plain": self = .text
    case "application/json": self = .json
    case "application/x-ndjson", "application/ndjson", "application/jsonl": self = .ndjson
    case "application/octet-stream": self = .binary
    default: return nil
    }
  }
}
