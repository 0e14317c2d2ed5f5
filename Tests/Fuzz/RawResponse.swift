/// An answer as a client with no library would read it.
struct RawResponse: Equatable {
  var status = 0
  var fields: [(name: String, value: String)] = []
  var body: [UInt8] = []
  var version = ""

  static func == (a: RawResponse, b: RawResponse) -> Bool {
    a.status == b.status && a.body == b.body && a.version == b.version
      && a.fields.elementsEqual(b.fields) { $0 == $1 }
  }

  subscript(name: String) -> String? {
    fields.first { $0.name == name.lowercased() }?.value
  }

  var text: String { String(decoding: body, as: UTF8.self) }

  /// Takes one whole answer off the front; nil if it is not whole yet.
  /// - Parameters:
  ///   - isHead: the answer is to a HEAD request.
  ///   - isOver: nothing follows, so a body without framing ends here.
  static func take(
    from bytes: inout [UInt8], isHead: Bool = false, isOver: Bool = false
  ) -> RawResponse? {
    guard let end = find([13, 10, 13, 10], in: bytes, from: 0) else { return nil }
    var response = RawResponse()
    for (index, line) in String(decoding: bytes[..<end], as: UTF8.self)
      .split(separator: "\r\n", omittingEmptySubsequences: false).enumerated()
    {
      if index == 0 {
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        response.version = String(parts[0])
        response.status = parts.count > 1 ? Int(parts[1]) ?? -1 : -1
      } else if let colon = line.firstIndex(of: ":") {
        let value = line[line.index(after: colon)...].drop { $0 == " " }
        response.fields.append((line[..<colon].lowercased(), String(value)))
      }
    }
    var position = end + 4
    let hasNoBody = isHead || response.status < 200 || response.status == 204
    if !hasNoBody {
      if response["transfer-encoding"] == "chunked" {
        while true {
          guard let lineEnd = find([13, 10], in: bytes, from: position),
            let size = Int(String(decoding: bytes[position..<lineEnd], as: UTF8.self), radix: 16),
            bytes.count >= lineEnd + 2 + size + 2
          else { return nil }
          response.body += bytes[(lineEnd + 2)..<(lineEnd + 2 + size)]
          position = lineEnd + 2 + size + 2
          if size == 0 { break }
        }
      } else if let length = response["content-length"].flatMap({ Int($0) }) {
        guard bytes.count >= position + length else { return nil }
        response.body = Array(bytes[position..<position + length])
        position += length
      } else {
        guard isOver else { return nil }
        response.body = Array(bytes[position...])
        position = bytes.count
      }
    }
    bytes.removeFirst(position)
    return response
  }

  private static func find(_ needle: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    guard bytes.count >= start + needle.count else { return nil }
    for index in start...(bytes.count - needle.count)
    where bytes[index..<index + needle.count].elementsEqual(needle) { return index }
    return nil
  }
}
