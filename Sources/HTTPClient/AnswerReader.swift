import HTTP
import JSON
import UntrustedInput

/// Reads an answer as its bytes come: header and chunk lines by the rules by which the server reads
/// them (`MessageRules`), and each byte once, however they come.
///
/// A body ends by its `Content-Length` or its last chunk (RFC 9112 section 6.3). One that ends with the
/// connection could be cut off, and is refused.
struct AnswerReader {
  private enum Body {
    case length(Int)
    case chunks
  }

  /// What was received and is not read yet.
  private var bytes: [UInt8] = []
  /// Once the head is whole; `body` has the chunks that are.
  private var answer: Answer?
  private var body = Body.chunks
  private var headEnd: Int?
  private(set) var byteCount = 0

  /// Bytes of a line before a chunk.
  private static let maxChunkLineBytes = 64 << 10

  /// Bytes of the head, as far as it has come.
  var headBytes: Int { headEnd ?? byteCount }

  mutating func append(_ piece: ArraySlice<UInt8>) {
    // The blank line may have begun before.
    let unread = max(0, bytes.count - 3)
    bytes += piece
    byteCount += piece.count
    if headEnd == nil { headEnd = Self.blankLine(in: bytes[unread...]) }
  }

  /// - Parameter limit: of the body's bytes.
  /// - Returns: nil while it is not whole.
  mutating func next(limit: Int) throws(Answer.Malformed) -> Answer? {
    guard let headEnd else { return nil }
    if answer == nil {
      try readHead(bytes[..<(headEnd + 2)], limit)
      bytes.removeFirst(headEnd + 4)
    }
    switch body {
    case .chunks: return try readChunks(limit) ? answer : nil
    case .length(let length):
      guard bytes.count <= length else { throw Answer.Malformed("Content-Length") }
      guard bytes.count == length else { return nil }
      answer?.body = bytes
      return answer
    }
  }

  /// Called where the connection ends before the answer does: what began as HTTP was cut off.
  func end() throws(Answer.Malformed) {
    guard zip(bytes, "HTTP/1.".utf8).allSatisfy({ $0 == $1 }) || answer != nil else {
      throw Answer.Malformed("status line")
    }
    guard answer == nil, let end = bytes.firstIndex(of: 0x0A) else { return }
    guard end > 0, bytes[end - 1] == 0x0D else { throw Answer.Malformed("status line") }
  }

  private mutating func readHead(
    _ head: ArraySlice<UInt8>, _ limit: Int
  ) throws(Answer.Malformed) {
    var lines = Lines(head)
    let words = RawText(String(decoding: try lines.next("status line") ?? [], as: UTF8.self))
      .split(0x20)
    guard words.count >= 2, let status = Untrusted<Int>(words[1].string)?.within(100...999) else {
      throw Answer.Malformed("status line")
    }
    var answer = Answer(status: status)
    var claimed: Untrusted<Int64>?
    while let line = try lines.next("header line") {
      guard let field = try? FieldLine(line.span) else { throw Answer.Malformed("header line") }
      let name = RawText(String(decoding: line[field.name], as: UTF8.self)).asciiLowercased
      if name == "content-length" {
        guard claimed == nil,
          let length = try? FieldLine.contentLength(line.span.extracting(field.value))
        else { throw Answer.Malformed("Content-Length") }
        claimed = length
      }
      answer.fields[name] = RawText(String(decoding: line[field.value], as: UTF8.self))
    }
    if answer.fields["transfer-encoding"]?.asciiLowercased == "chunked" {
      guard claimed == nil else { throw Answer.Malformed("Content-Length") }
    } else {
      guard let length = claimed?.within(0...limit) else {
        throw Answer.Malformed("Content-Length")
      }
      body = .length(length)
    }
    self.answer = answer
  }

  /// Reads the chunks that are whole; true after the last one. Trailers are passed over (RFC 9112
  /// section 7.1.2).
  private mutating func readChunks(_ limit: Int) throws(Answer.Malformed) -> Bool {
    var lines = Lines(bytes[...])
    var read = 0
    defer { if read > 0 { bytes.removeFirst(read) } }
    while let line = try lines.next("chunk size") {
      guard let chunk = try? ChunkLine(line.span), let size = chunk.size.within(0...limit) else {
        throw Answer.Malformed("chunk size")
      }
      if size == 0 { return true }
      guard let data = lines.take(size), let end = lines.take(2) else { return false }
      guard end.elementsEqual("\r\n".utf8) else { throw Answer.Malformed("chunk") }
      answer?.body += data
      read = lines.start
    }
    guard lines.count <= Self.maxChunkLineBytes else { throw Answer.Malformed("chunk size") }
    return false
  }

  private static func blankLine(in bytes: ArraySlice<UInt8>) -> Int? {
    bytes.indices.dropLast(3).first {
      bytes[$0] == 13 && bytes[$0 + 1] == 10 && bytes[$0 + 2] == 13 && bytes[$0 + 3] == 10
    }
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

  /// Where the next line begins.
  var start: Int { rest.startIndex }
  var count: Int { rest.count }
}
