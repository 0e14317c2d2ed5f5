import CZlib
import HTTP
import TestSupport
import Testing

/// Decompressing of what nobody vouches for, and what a client's Accept-Encoding says.
@Suite struct ContentCodingTests {
  /// As zlib itself does it, in one go. 31: gzip; 15: zlib; -15: neither.
  private static func compress(_ bytes: [UInt8], windowBits: Int32) -> [UInt8] {
    var stream = unsafe z_stream()
    let size = unsafe Int32(MemoryLayout<z_stream>.size)
    return unsafe withUnsafeMutablePointer(to: &stream) { stream in
      unsafe deflateInit2_(
        stream, 6, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
      defer { unsafe deflateEnd(stream) }
      var bytes = bytes
      let room = unsafe Int(deflateBound(stream, UInt(bytes.count))) + 32
      return unsafe bytes.withUnsafeMutableBufferPointer { input in
        unsafe [UInt8](unsafeUninitializedCapacity: room) { output, count in
          unsafe stream.pointee.next_in = input.baseAddress
          unsafe stream.pointee.avail_in = UInt32(input.count)
          unsafe stream.pointee.next_out = output.baseAddress
          unsafe stream.pointee.avail_out = UInt32(room)
          unsafe deflate(stream, Z_FINISH)
          unsafe count = Int(stream.pointee.total_out)
        }
      }
    }
  }

  private static func gzip(_ bytes: [UInt8]) -> [UInt8] { compress(bytes, windowBits: 31) }
  private static func zlib(_ bytes: [UInt8]) -> [UInt8] { compress(bytes, windowBits: 15) }

  private func decode(
    _ body: [UInt8], _ coding: ContentCoding, limit: Int = 1 << 20, room: Int = .max
  ) -> Result<[UInt8], ContentCodingError> {
    var room = room
    return Result { () throws(ContentCodingError) in
      try coding.decode(body, limit: limit) { bytes in
        guard bytes <= room else { return false }
        room -= bytes
        return true
      }
    }
  }

  private static let samples: [[UInt8]] = [
    [], [0], Array("{\"inputs\": [\"a fish\"]}".utf8), [UInt8](repeating: 7, count: 300_000),
    (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) },
  ]

  @Test(arguments: samples)
  func whatWasCompressedComesBack(_ bytes: [UInt8]) {
    #expect(decode(Self.gzip(bytes), .gzip) == .success(bytes))
    #expect(decode(Self.zlib(bytes), .deflate) == .success(bytes))
    // One file behind another is one body.
    #expect(decode(Self.gzip(bytes) + Self.gzip([1]), .gzip) == .success(bytes + [1]))
  }

  @Test func theLimitIsOnWhatComesOut() {
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: ($0 / 7) &* ($0 / 7) >> 3) }
    for (body, coding) in [(Self.gzip(bytes), ContentCoding.gzip), (Self.zlib(bytes), .deflate)] {
      #expect(decode(body, coding, limit: bytes.count) == .success(bytes))
      let limit = bytes.count - 1
      #expect(decode(body, coding, limit: limit) == .failure(.tooLong(limit: limit)))
      #expect(decode(body, coding, limit: 1) == .failure(.tooLong(limit: 1)))
    }
  }

  /// A body of a few bytes may open to a megabyte, a larger one to 256 times its size.
  @Test func bombsAreTooDense() {
    for (count, isBomb) in [(1 << 20, false), (2 << 20, true), (10_000_000, true)] {
      let bytes = [UInt8](repeating: 0, count: count)
      let expected: Result<[UInt8], ContentCodingError> =
        isBomb ? .failure(.tooDense(ratio: 256)) : .success(bytes)
      #expect(decode(Self.gzip(bytes), .gzip, limit: .max) == expected)
      #expect(decode(Self.zlib(bytes), .deflate, limit: .max) == expected)
    }
  }

  /// Memory is taken before it is used.
  @Test func thereIsRoomOrNone() {
    let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
    #expect(decode(Self.gzip(bytes), .gzip, room: 400_000) == .success(bytes))
    #expect(decode(Self.gzip(bytes), .gzip, room: 250_000) == .failure(.noRoom))
    #expect(decode(Self.gzip(bytes), .gzip, room: 0) == .failure(.noRoom))
  }

  /// Every cut, every bit of the ends and some of the middle, and whatever follows.
  @Test func brokenDataIsNoBody() {
    let bytes = Array("some text that is compressed, some text that is compressed".utf8)
    for (body, coding) in [(Self.gzip(bytes), ContentCoding.gzip), (Self.zlib(bytes), .deflate)] {
      for cut in 0..<body.count {
        #expect(decode(Array(body[..<cut]), coding) == .failure(.broken(coding)))
      }
      #expect(decode(body + [0], coding) == .failure(.broken(coding)))
      // gzip's time, flags for text and system say nothing of the data.
      for index in (coding == .gzip ? 10 : 0)..<body.count {
        for bit in 0..<8 {
          var damaged = body
          damaged[index] ^= 1 << bit
          // A bit that fills up the last byte of the data does not matter; one of a checksum does.
          let result = decode(damaged, coding)
          #expect(result == .failure(.broken(coding)) || result == .success(bytes))
          if index >= body.count - (coding == .gzip ? 8 : 4) {
            #expect(result == .failure(.broken(coding)))
          }
        }
      }
    }
    #expect(
      decode(Self.compress(bytes, windowBits: -15), .deflate) == .failure(.broken(.deflate)))
    #expect(decode(Self.gzip(bytes), .deflate) == .failure(.broken(.deflate)))
    #expect(decode(bytes, .gzip) == .failure(.broken(.gzip)))
  }

  @Test func randomBytesDoNoHarm() {
    let seed = SeededGenerator.seed
    var state = seed
    func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 33
    }
    for _ in 0..<2000 {
      var body = Self.gzip((0..<100).map { _ in UInt8(truncatingIfNeeded: next() % 7) })
      for _ in 0..<(1 + next() % 4) {
        body[Int(next()) % body.count] = UInt8(truncatingIfNeeded: next())
      }
      if case .success(let bytes) = decode(body, .gzip, limit: 1000) {
        #expect(bytes.count <= 1000, "seed \(seed)")
      }
    }
  }

  @Test func aPieceAtATimeIsOneStream() throws {
    let encoder = try #require(GzipEncoder())
    var stream: [UInt8] = []
    for sample in Self.samples { stream += encoder.encode(sample, .flush) }
    stream += encoder.encode([], .end)
    #expect(decode(stream, .gzip) == .success(Array(Self.samples.joined())))
    let whole = try #require(GzipEncoder()).encode(Self.samples[4], .end)
    #expect(decode(whole, .gzip) == .success(Self.samples[4]))
  }

  @Test func codingsAreRead() throws {
    #expect(try ContentCoding(field: nil) == nil)
    #expect(try ContentCoding(field: "identity") == nil)
    #expect(try ContentCoding(field: " GZIP ,, identity") == .gzip)
    #expect(try ContentCoding(field: "x-gzip") == .gzip)
    #expect(try ContentCoding(field: "deflate") == .deflate)
    #expect(throws: ContentCodingError.unknown("br")) { try ContentCoding(field: "gzip, br") }
    #expect(throws: ContentCodingError.unknown("gzip;q=1")) {
      try ContentCoding(field: "gzip;q=1")
    }
    #expect(throws: ContentCodingError.several) { try ContentCoding(field: "gzip, gzip") }
    #expect(throws: ContentCodingError.several) {
      try ContentCoding(field: "deflate,identity,gzip")
    }
  }

  /// RFC 9110 section 12.5.3: whether gzip is sent, may be sent, and whether nothing may be done.
  @Test(arguments: [
    (nil, false, false, true), ("", false, false, true), ("gzip", true, true, true),
    ("x-gzip", true, true, true), ("GZip;Q=0.5", true, true, true), ("*", true, true, true),
    ("gzip;q=0", false, false, true), ("gzip;q=0.000, *", false, false, true),
    ("gzip; q=0.001", true, true, true), ("gzip ; q=1.000", true, true, true),
    ("br, deflate", false, false, true), ("identity", false, false, true),
    ("gzip;q=0.5, identity", false, true, true), ("gzip;q=0.5, identity;q=0.4", true, true, true),
    ("gzip, identity;q=1", true, true, true), ("identity;q=0", false, false, false),
    ("gzip, identity;q=0", true, true, false), ("*;q=0", false, false, false),
    ("gzip, *;q=0", true, true, false), ("identity;q=0.5, *;q=0", false, false, true),
    ("*;q=0.1, gzip;q=0", false, false, true), ("gzip;q=1.001", false, false, true),
    ("gzip;q=2", false, false, true), ("gzip;q=", false, false, true),
    ("gzip;q=0.1234", false, false, true), ("gzip;q=.5", false, false, true),
    ("gzip;x=1", false, false, true), ("gzip;q=1.5", false, false, true),
    ("deflate, gzip;q=1.0, *;q=0.5", true, true, true), (",,gzip,,", true, true, true),
  ])
  func acceptEncoding(_ field: String?, _ prefers: Bool, _ gzip: Bool, _ identity: Bool) {
    let accepted = AcceptEncoding(field)
    #expect(accepted.prefersGzip == prefers)
    #expect(accepted.allowsGzip == gzip)
    #expect(accepted.allowsIdentity == identity)
  }
}
