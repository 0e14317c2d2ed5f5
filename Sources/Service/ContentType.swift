/// The kinds of body that routes read.
enum ContentType: Equatable, Sendable {
  /// No type, or what `curl -d` says of any body: JSON if it parses as such, else text.
  case unstated
  case text
  case json
  case ndjson
  /// KServe's JSON with tensors behind it.
  case binary

  var name: String {
    switch self {
    case .unstated: "application/x-www-form-urlencoded"
    case .text: "text/plain"
    case .json: "application/json"
    case .ndjson: "application/x-ndjson"
    case .binary: "application/octet-stream"
    }
  }

  /// Reads a Content-Type field (RFC 9110 §8.3); nil if the type, or its charset, is none of ours.
  init?(field: String?) {
    guard let field else {
      self = .unstated
      return
    }
    let parts = field.split(separator: ";", omittingEmptySubsequences: false)
    let mediaType = Self.trim(parts[0]).lowercased()
    for parameter in parts.dropFirst() {
      let pair = parameter.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, Self.trim(pair[0]).lowercased() == "charset" else { continue }
      let charset = Self.trim(pair[1]).lowercased().filter { $0 != "\"" }
      // ASCII is UTF-8 as it stands.
      guard charset == "utf-8" || charset == "utf8" || charset == "us-ascii" else { return nil }
    }
    switch mediaType {
    case "", "application/x-www-form-urlencoded": self = .unstated
    case "text/plain": self = .text
    case "application/json": self = .json
    case "application/x-ndjson", "application/ndjson", "application/jsonl": self = .ndjson
    case "application/octet-stream": self = .binary
    default: return nil
    }
  }

  private static func trim(_ text: Substring) -> Substring {
    var text = text
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }
}
