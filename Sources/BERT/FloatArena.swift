#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Memory for floats, zero at first, given out once from front to back and freed as a whole.
///
/// The system provides a page when it is first touched: what is never used costs no memory.
///
/// `@unchecked Sendable`: nothing of the arena itself changes after `init`; who may touch which part
/// of its memory is for its owner to say.
@safe
final class FloatArena: @unchecked Sendable {
  /// Size in bytes.
  let size: Int
  private let base: UnsafeMutableRawPointer

  init(count: Int) throws(BERTError) {
    let size = max(count, 1) * MemoryLayout<Float>.stride
    self.size = size
    let memory = unsafe mmap(
      nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
      throw .outOfMemory(bytes: size)
    }
    unsafe base = memory
    #if os(Linux)
      // Large pages: a pass walks through all weights, one table entry for 2 MB instead of 512.
      unsafe madvise(base, size, MADV_HUGEPAGE)
    #endif
  }

  deinit { unsafe munmap(base, size) }

  /// The float at an offset, and all after it.
  @unsafe func floats(at offset: Int) -> UnsafeMutablePointer<Float> {
    unsafe base.assumingMemoryBound(to: Float.self) + offset
  }
}

/// Counts out the parts of an arena before it is made; each begins a cache line.
struct ArenaLayout {
  private(set) var count = 0

  /// The offset of a new part of so many floats.
  mutating func add(_ floats: Int) -> Int {
    defer { count += (floats + 15) / 16 * 16 }
    return count
  }

  /// The offset of a new matrix.
  mutating func add(rows: Int, columns: Int) -> Int { add(rows * Self.stride(columns: columns)) }

  /// The stride of a matrix: whole cache lines, and an odd number of them, so that the rows of a
  /// tile do not fall into the same sets of the cache.
  static func stride(columns: Int) -> Int { ((columns + 15) / 16 | 1) * 16 }
}
