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

  /// - Parameter usesLargePages: whether to ask for pages of 2 MB, which save most of the lookups in page tables when
  ///   all weights are read; but a page takes all its memory as soon as a part of it is used.
  init(count: Int, usesLargePages: Bool = true) throws(BERTError) {
    let size = max(count, 1) * MemoryLayout<Float>.stride
    self.size = size
    let memory = unsafe mmap(
      nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
      throw .outOfMemory(bytes: size)
    }
    unsafe base = memory
    #if os(Linux)
      unsafe madvise(base, size, usesLargePages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE)
    #endif
  }

  /// Copies one of `count` parts of another arena of the same size.
  func copyPart(_ index: Int, of count: Int, from other: FloatArena) {
    precondition(size == other.size, "arenas have one size")
    let first = size / count * index
    let end = index + 1 == count ? size : size / count * (index + 1)
    unsafe (base + first).copyMemory(from: other.base + first, byteCount: end - first)
  }

  deinit { unsafe munmap(base, size) }

  /// Gives the memory of some floats back, whole pages of it: they are zero when next read.
  func release(_ floats: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = (floats.lowerBound * MemoryLayout<Float>.stride + page - 1) / page * page
    let end = floats.upperBound * MemoryLayout<Float>.stride / page * page
    if first < end { unsafe madvise(base + first, end - first, MADV_DONTNEED) }
  }

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
