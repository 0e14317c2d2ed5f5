import CZlib
import Glibc

/// The text of a file or pipe as UTF-8, in pieces: decompressed if it is gzip, converted if it is
/// UTF-16, without a byte order mark. What is no text is refused by what its first bytes say.
@safe
final class InputBytes {
  private static let pieceSize = 1 << 20

  private let name: String
  private let descriptor: Int32
  /// What was read and is not decompressed yet.
  private var raw: [UInt8] = []
  private var rawPosition = 0
  private var isAtEnd = false
  private var hasBegun = false
  /// In one place in memory, as zlib wants; nil without compression.
  private var stream: UnsafeMutablePointer<z_stream>?
  /// Whether a member of the gzip file has begun and not ended.
  private var isWithinMember = false
  private var units: UTF16Units?
  /// Bytes of the file before and after the latest piece; estimates in compressed files.
  private(set) var consumed = 0..<0
  private var rawCount = 0

  /// - Parameters:
  ///   - path: "-" is standard input.
  ///   - name: what it is called in messages.
  init(path: String, name: String) throws(BulkError) {
    self.name = name
    descriptor = path == "-" ? dup(STDIN_FILENO) : unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw BulkError("\(name) cannot be read: \(errorText())") }
    while raw.count < 8, try readMore() {}
    if raw.starts(with: [0x1f, 0x8b]) { try beginInflating() }
  }

  deinit {
    if let stream = unsafe stream {
      unsafe inflateEnd(stream)
      unsafe stream.deallocate()
    }
    close(descriptor)
  }

  /// The next bytes of text; nil at the end.
  func next() throws(BulkError) -> [UInt8]? {
    while true {
      var piece = try decompressed()
      if !hasBegun {
        hasBegun = true
        // The first bytes say what it is.
        while piece.count < 8 {
          let more = try decompressed()
          if more.isEmpty { break }
          piece += more
        }
        try begin(&piece)
      }
      consumed = consumed.upperBound..<max(consumed.upperBound, rawCount - raw.count + rawPosition)
      if piece.isEmpty {
        piece = units?.end() ?? []
        return piece.isEmpty ? nil : piece
      }
      if units != nil { piece = units?.utf8(of: piece) ?? [] }
      if !piece.isEmpty { return piece }
    }
  }

  // MARK: - Encodings

  /// Takes the byte order mark away.
  private func begin(_ piece: inout [UInt8]) throws(BulkError) {
    let known: [(bytes: [UInt8], name: String, advice: String)] = [
      ([0x28, 0xb5, 0x2f, 0xfd], "zstd", "decompress it: zstd -dc \(name) | bert-server encode -"),
      (
        [0xfd, 0x37, 0x7a, 0x58, 0x5a], "xz", "decompress it: xz -dc \(name) | bert-server encode -"
      ),
      (Array("BZh".utf8), "bzip2", "decompress it: bzip2 -dc \(name) | bert-server encode -"),
      (Array("PK\u{3}\u{4}".utf8), "zip", "unpack it first; a spreadsheet is saved as CSV"),
      (Array("PAR1".utf8), "Parquet", "write its texts as JSON lines or CSV first"),
      (Array("ARROW1".utf8), "Arrow", "write its texts as JSON lines or CSV first"),
      (Array("%PDF-".utf8), "PDF", "extract its text first"),
      ([0x1f, 0x8b], "gzip within gzip", "decompress it first"),
      ([0xff, 0xfe, 0, 0], "UTF-32", "convert it to UTF-8: iconv -f UTF-32 -t UTF-8"),
      ([0, 0, 0xfe, 0xff], "UTF-32", "convert it to UTF-8: iconv -f UTF-32 -t UTF-8"),
    ]
    for (bytes, format, advice) in known where piece.starts(with: bytes) {
      throw BulkError("\(name) looks like \(format): \(advice)")
    }
    if piece.starts(with: [0xef, 0xbb, 0xbf]) {
      piece.removeFirst(3)
    } else if piece.starts(with: [0xff, 0xfe]) || piece.starts(with: [0xfe, 0xff]) {
      units = UTF16Units(isBigEndian: piece[0] == 0xfe)
      piece.removeFirst(2)
    } else if piece.count >= 4 {
      let zeros = piece.prefix(4).map { $0 == 0 }
      if zeros == [true, false, true, false] || zeros == [false, true, false, true] {
        throw BulkError(
          "\(name) looks like UTF-16 without a byte order mark: convert it to UTF-8: "
            + "iconv -f UTF-16\(zeros[0] ? "BE" : "LE") -t UTF-8")
      }
    }
  }

  // MARK: - Compression

  /// Windows of up to 32 KB, and gzip's header and checksum.
  private func beginInflating() throws(BulkError) {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    let size = unsafe Int32(MemoryLayout<z_stream>.size)
    guard unsafe inflateInit2_(stream, 15 + 16, ZLIB_VERSION, size) == Z_OK else {
      unsafe stream.deallocate()
      throw BulkError("\(name) cannot be decompressed: there is no memory left")
    }
    unsafe self.stream = unsafe stream
  }

  /// A piece of the file, decompressed; empty at the end.
  private func decompressed() throws(BulkError) -> [UInt8] {
    guard let stream = unsafe stream else {
      if rawPosition == raw.count { _ = try readMore() }
      let piece = raw
      raw = []
      rawPosition = 0
      return piece
    }
    while true {
      if rawPosition == raw.count, try !readMore() {
        guard !isWithinMember else {
          throw BulkError("\(name) is gzip that ends in the middle: fetch it again")
        }
        return []
      }
      isWithinMember = true
      var status = Z_OK
      let piece = unsafe inflate(stream, &status)
      if status == Z_STREAM_END {
        // gzip files may be put one behind another (RFC 1952 section 2.2).
        isWithinMember = false
        unsafe inflateReset(stream)
      } else if status != Z_OK, status != Z_BUF_ERROR {
        throw BulkError("\(name) is broken gzip: fetch it again")
      }
      if !piece.isEmpty { return piece }
    }
  }

  private func inflate(
    _ stream: UnsafeMutablePointer<z_stream>, _ status: inout Int32
  ) -> [UInt8] {
    var result = Z_OK
    let available = raw.count - rawPosition
    let piece = unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceSize) { output, count in
      // zlib keeps both addresses during the call only, and does not write through next_in.
      unsafe raw.withUnsafeMutableBufferPointer { input in
        unsafe stream.pointee.next_in = unsafe input.baseAddress?.advanced(by: rawPosition)
        unsafe stream.pointee.avail_in = UInt32(available)
        unsafe stream.pointee.next_out = output.baseAddress
        unsafe stream.pointee.avail_out = UInt32(Self.pieceSize)
        unsafe result = CZlib.inflate(stream, Z_NO_FLUSH)
      }
      unsafe count = Self.pieceSize - Int(stream.pointee.avail_out)
    }
    rawPosition = unsafe raw.count - Int(stream.pointee.avail_in)
    status = result
    return piece
  }

  // MARK: - The file

  /// Adds to `raw`; false at the end.
  private func readMore() throws(BulkError) -> Bool {
    if isAtEnd { return false }
    var count = 0
    var more: [UInt8] = []
    repeat {
      more = unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceSize) { buffer, initialized in
        count = unsafe read(descriptor, buffer.baseAddress, buffer.count)
        initialized = max(0, count)
      }
    } while count < 0 && errno == EINTR
    guard count >= 0 else { throw BulkError("\(name) cannot be read: \(errorText())") }
    isAtEnd = count == 0
    raw = rawPosition == raw.count ? more : Array(raw[rawPosition...]) + more
    rawPosition = 0
    rawCount += count
    return count > 0
  }
}

/// UTF-16 to UTF-8, piece by piece. A surrogate without its other half becomes bytes that are no
/// UTF-8, so that its record is refused as one that is not valid.
private struct UTF16Units {
  let isBigEndian: Bool
  private var odd: UInt8?
  private var high: UInt16?

  init(isBigEndian: Bool) { self.isBigEndian = isBigEndian }

  mutating func utf8(of piece: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(piece.count * 3 / 2)
    for byte in piece {
      guard let first = odd else {
        odd = byte
        continue
      }
      odd = nil
      let unit = isBigEndian ? UInt16(first) << 8 | UInt16(byte) : UInt16(byte) << 8 | UInt16(first)
      append(unit, to: &output)
    }
    return output
  }

  /// What is left at the end; nil if that is nothing.
  mutating func end() -> [UInt8]? {
    var output: [UInt8] = []
    if let high { Self.append(UInt32(high), to: &output) }
    if odd != nil { output.append(0xff) }
    (high, odd) = (nil, nil)
    return output.isEmpty ? nil : output
  }

  private mutating func append(_ unit: UInt16, to output: inout [UInt8]) {
    if let first = high {
      high = nil
      if UTF16.isTrailSurrogate(unit) {
        Self.append(0x10000 + (UInt32(first) & 0x3ff) << 10 + UInt32(unit) & 0x3ff, to: &output)
        return
      }
      Self.append(UInt32(first), to: &output)
    }
    if UTF16.isLeadSurrogate(unit) { high = unit } else { Self.append(UInt32(unit), to: &output) }
  }

  /// UTF-8's scheme, for surrogates too.
  private static func append(_ value: UInt32, to output: inout [UInt8]) {
    func continuation(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(value >> shift & 0x3f) }
    switch value {
    case ..<0x80: output.append(UInt8(value))
    case ..<0x800: output += [0xc0 | UInt8(value >> 6), continuation(0)]
    case ..<0x10000: output += [0xe0 | UInt8(value >> 12), continuation(6), continuation(0)]
    default:
      output += [0xf0 | UInt8(value >> 18), continuation(12), continuation(6), continuation(0)]
    }
  }
}
