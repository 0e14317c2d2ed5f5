import HTTPTypes

/// A response's head as bytes (RFC 9112 section 4), after `HTTP/1.1 `.
enum ResponseHead {
  /// Every answer starts with this, whatever it will say.
  static let start: StaticString = "HTTP/1.1 "

  enum Framing {
    /// 1xx, 204 and 304 say nothing of a length (RFC 9110 section 8.6).
    case none
    case length(Int)
    case chunked
    /// The end of the connection is the end of the body.
    case untilClose
  }

  enum Persistence {
    /// HTTP/1.1's default.
    case unsaid
    case keepAlive
    case close
  }

  static func write(
    _ response: Response, framing: Framing, persistence: Persistence, dateLine: [UInt8],
    to output: inout OutputBuffer
  ) {
    output.append { bytes in
      write(response.status.code, to: &bytes)
      bytes.append(0x20)
      bytes.append(contentsOf: response.status.reasonPhrase.utf8)
      bytes.append(contentsOf: crlf)
      bytes.append(contentsOf: dateLine)
      for field in response.fields {
        switch field.name.canonicalName {
        case "content-length", "transfer-encoding", "connection", "date": continue
        default: break
        }
        bytes.append(contentsOf: field.name.rawName.utf8)
        bytes.append(contentsOf: separator)
        // The buffer does not leave the closure.
        unsafe field.withUnsafeBytesOfValue { unsafe bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: crlf)
      }
      switch framing {
      case .none, .untilClose: break
      case .length(let length):
        bytes.append(contentsOf: contentLength)
        write(length, to: &bytes)
        bytes.append(contentsOf: crlf)
      case .chunked:
        bytes.append(contentsOf: chunked)
      }
      switch persistence {
      case .unsaid: break
      case .keepAlive: bytes.append(contentsOf: keepAlive)
      case .close: bytes.append(contentsOf: close)
      }
      bytes.append(contentsOf: crlf)
    }
  }

  private static let crlf: [UInt8] = [0x0D, 0x0A]
  private static let separator: [UInt8] = [0x3A, 0x20]
  private static let contentLength = Array("Content-Length: ".utf8)
  private static let chunked = Array("Transfer-Encoding: chunked\r\n".utf8)
  private static let keepAlive = Array("Connection: keep-alive\r\n".utf8)
  private static let close = Array("Connection: close\r\n".utf8)

  private static func write(_ number: Int, to bytes: inout [UInt8]) {
    if number >= 10 { write(number / 10, to: &bytes) }
    bytes.append(0x30 + UInt8(number % 10))
  }
}
