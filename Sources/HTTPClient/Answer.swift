import HTTP
public import JSON
import UntrustedInput

/// A service's answer.
public struct Answer: Equatable, Sendable {
  public var status: Int
  /// Names in lower case. Neither names nor values are compared as `String`: see `RawText`.
  public var fields: [RawText: RawText] = [:]
  public var body: [UInt8] = []

  /// What breaks the rules.
  struct Malformed: Error, Equatable {
    var part: String

    init(_ part: String) { self.part = part }
  }

  /// Reads what a connection brought up to its end, header and chunk lines by the rules by which the
  /// server reads them (`MessageRules`).
  ///
  /// - Parameters:
  ///   - headEnd: where the blank line begins, with the end of the line before it.
  ///   - limit: of the body's bytes.
  /// - Returns: nil for what is not whole.
  init?(_ bytes: [UInt8], headEnd: Int, limit: Int) throws(Malformed) {
    var lines = Lines(bytes[..<(headEnd + 2)])
    let words = RawText(String(decoding: try lines.next("status line") ?? [], as: UTF8.self))
      .split(0x20)
    guard words.count >= 2, let status = Untrusted<Int>(words[1].string)?.within(100...999) else {
      throw Malformed("status line")
    }
    self.status = status
    var claimed: Untrusted<Int64>?
    while let line = try lines.next("header line") {
      guard let field = try? FieldLine(line.span) else { throw Malformed("header line") }
      let name = RawText(String(decoding: line[field.name], as: UTF8.self)).asciiLowercased
      if name == "content-length" {
        guard claimed == nil,
          let length = try? FieldLine.contentLength(line.span.extracting(field.value))
        else { throw Malformed("Content-Length") }
        claimed = length
      }
      fields[name] = RawText(String(decoding: line[field.value], as: UTF8.self))
    }
    let body = bytes[(headEnd + 4)...]
    if fields["transfer-encoding"]?.asciiLowercased == "chunked" {
      guard claimed == nil else { throw Malformed("Content-Length") }
      guard let whole = try Self.unchunked(body, limit: limit) else { return nil }
      self.body = whole
    } else {
      guard let length = claimed?.within(0...limit), body.count <= length else {
        throw Malformed("Content-Length")
      }
      guard length == body.count else { return nil }
      self.body = Array(body)
    }
  }

  /// Whether what was received so far may be whole. One in chunks without trailers ends so; then its
  /// chunks are read, and not again with each piece of it.
  static func mayEnd(_ bytes: [UInt8], headEnd: Int) -> Bool {
    let end = "\r\n\r\n".utf8
    return bytes.suffix(end.count).elementsEqual(end) || !isChunked(bytes[..<(headEnd + 2)])
  }

  private static func isChunked(_ head: ArraySlice<UInt8>) -> Bool {
    var lines = Lines(head)
    while let line = try? lines.next("") {
      guard let field = try? FieldLine(line.span) else { continue }
      let name = RawText(String(decoding: line[field.name], as: UTF8.self)).asciiLowercased
      if name == "transfer-encoding" { return true }
    }
    return false
  }

  /// Whether it is HTTP as far as it goes: what is not, is no answer that was cut off.
  static func mayBegin(_ bytes: [UInt8]) -> Bool {
    guard zip(bytes, "HTTP/1.".utf8).allSatisfy({ $0 == $1 }) else { return false }
    guard let end = bytes.firstIndex(of: 0x0A) else { return true }
    return bytes[end - 1] == 0x0D
  }

  /// Trailers are passed over (RFC 9112 section 7.1.2). Nil for what is not whole.
  private static func unchunked(
    _ bytes: ArraySlice<UInt8>, limit: Int
  ) throws(Malformed) -> [UInt8]? {
    var lines = Lines(bytes)
    var body: [UInt8] = []
    while let line = try lines.next("chunk size") {
      guard let chunk = try? ChunkLine(line.span), let size = chunk.size.within(0...limit) else {
        throw Malformed("chunk size")
      }
      if size == 0 { return body }
      guard let data = lines.take(size) else { return nil }
      body += data
      guard let end = try lines.next("chunk") else { return nil }
      guard end.isEmpty else { throw Malformed("chunk") }
    }
    return nil
  }
}

/// Lines that end in CR LF, and what lies between them.
private struct Lines {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// The next line without its end; nil if it has none yet.
  ///
  /// - Throws: if it ends in LF alone; `part` is what it is.
  mutating func next(_ part: String) throws(Answer.Malformed) -> [UInt8]? {
    guard let end = rest.firstIndex(of: 0x0A) else { return nil }
    guard end > rest.startIndex, rest[end - 1] == 0x0D else { throw Answer.Malformed(part) }
    defer { rest = rest[(end + 1)...] }
    return Array(rest[..<(end - 1)])
  }

  mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard rest.count >= count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }
}
