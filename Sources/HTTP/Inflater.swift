import CZlib

/// Undoes gzip (RFC 1952) and zlib (RFC 1950) compression, of data that nobody vouches for.
enum Inflater {
  /// The output grows by this much at a time, so by what the data holds and not by what it claims.
  private static let step = 65536

  /// - Throws: `broken`, `tooLong`, `noRoom`, `outOfMemory`.
  static func inflate(
    _ input: ByteSpan, _ coding: ContentCoding, limit: Int, reserve: (Int) -> Bool,
    tooLong: ContentCodingError
  ) throws(ContentCodingError) -> [UInt8] {
    // 15: windows of up to 32 KB; 16 more: with gzip's header and checksum instead of zlib's.
    let windowBits: Int32 = coding == .gzip ? 15 + 16 : 15
    // All zeros: zlib takes malloc, and starts with no input.
    var stream = unsafe z_stream()
    // zlib keeps the address of the stream, which stays in this frame's one place until the end.
    return try unsafe withUnsafeMutablePointer(to: &stream) {
      stream throws(ContentCodingError) in
      let size = unsafe Int32(MemoryLayout<z_stream>.size)
      guard unsafe inflateInit2_(stream, windowBits, ZLIB_VERSION, size) == Z_OK else {
        throw .outOfMemory
      }
      defer { unsafe inflateEnd(stream) }
      return try unsafe input.withUnsafeBufferPointer { input throws(ContentCodingError) in
        // zlib does not write through next_in. Bodies are bounded far below 4 GB at a time.
        unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        var rest = input.count
        var output: [UInt8] = []
        var reserved = 0
        while true {
          while reserved < output.count + step {
            guard reserve(step) else { throw .noRoom }
            reserved += step
          }
          let given = min(rest, Int(UInt32.max))
          unsafe stream.pointee.avail_in = UInt32(given)
          let status = unsafe more(stream, &output)
          rest -= unsafe given - Int(stream.pointee.avail_in)
          if output.count > limit { throw tooLong }
          switch status {
          case Z_OK: continue
          case Z_STREAM_END where rest == 0: return output
          // gzip files may be put one behind another (RFC 1952 section 2.2).
          case Z_STREAM_END where coding == .gzip: unsafe inflateReset(stream)
          case Z_MEM_ERROR: throw .outOfMemory
          default: throw .broken(coding)
          }
        }
      }
    }
  }

  /// Inflates up to a step more. Z_BUF_ERROR: no input is left though the data is not at its end.
  private static func more(_ stream: UnsafeMutablePointer<z_stream>, _ output: inout [UInt8])
    -> Int32
  {
    var status = Z_OK
    let piece = unsafe [UInt8](unsafeUninitializedCapacity: step) { buffer, count in
      unsafe stream.pointee.next_out = buffer.baseAddress
      unsafe stream.pointee.avail_out = UInt32(step)
      unsafe status = CZlib.inflate(stream, Z_NO_FLUSH)
      // As much as zlib has written.
      unsafe count = step - Int(stream.pointee.avail_out)
    }
    output += piece
    return status
  }
}
