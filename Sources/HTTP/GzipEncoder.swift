import CZlib

/// Compresses an answer, piece by piece or whole, at the level that costs least: the others save
/// some hundredths more for several times the time (JSON numbers, zlib 1.2.13: 108 MB/s and 46 %
/// at level 1, 15 MB/s and 41 % at level 6).
@safe
public final class GzipEncoder {
  /// zlib keeps its address.
  private let stream: UnsafeMutablePointer<z_stream>
  private static let step = 65536
  /// Bytes that it takes: zlib's two windows of 32 KB and its tables (zconf.h, "memory requirements"),
  /// and a step.
  public static let memoryBytes = (268 << 10) + step

  /// Nil without memory.
  public init?() {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    let size = unsafe Int32(MemoryLayout<z_stream>.size)
    // 15 + 16: windows of 32 KB, gzip's header; 8: the usual 256 KB.
    let status = unsafe deflateInit2_(
      stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
    if status != Z_OK {
      unsafe stream.deallocate()
      return nil
    }
  }

  deinit {
    unsafe deflateEnd(stream)
    unsafe stream.deallocate()
  }

  public enum Ending {
    /// More follows; the client can decompress all that it has so far.
    case flush
    /// Nothing follows.
    case end
  }

  /// The next bytes of the answer; may be empty.
  /// - Parameter piece: less than 4 GB.
  public func encode(_ piece: [UInt8], _ ending: Ending) -> [UInt8] {
    let mode = ending == .flush ? Z_SYNC_FLUSH : Z_FINISH
    var output: [UInt8] = []
    // The pointers are used during the calls only; zlib does not write through next_in.
    unsafe piece.withUnsafeBufferPointer { input in
      unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      unsafe stream.pointee.avail_in = UInt32(input.count)
      repeat {
        output += unsafe [UInt8](unsafeUninitializedCapacity: Self.step) { buffer, count in
          unsafe stream.pointee.next_out = buffer.baseAddress
          unsafe stream.pointee.avail_out = UInt32(Self.step)
          unsafe _ = deflate(stream, mode)
          // As much as zlib has written.
          unsafe count = Self.step - Int(stream.pointee.avail_out)
        }
        // A buffer that is not full: all that there is has come (zlib.h, deflate).
      } while unsafe stream.pointee.avail_out == 0
    }
    return output
  }
}
