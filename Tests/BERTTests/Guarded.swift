import TestSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where the untouchable page lies.
enum Side: CaseIterable { case before, after }

typealias GuardedFloats = Guarded<Float>

/// Numbers with an untouchable page right before the first or right after the last: a read or
/// write outside kills the test.
@safe
final class Guarded<Element: BitwiseCopyable> {
  let count: Int
  private let region: UnsafeMutableRawPointer
  private let size: Int
  private let offset: Int

  init(_ values: [Element], guarded side: Side) {
    count = values.count
    let page = Int(getpagesize())
    let bytes = values.count * MemoryLayout<Element>.size
    let inside = (bytes + page - 1) / page * page
    size = inside + 2 * page
    let memory = unsafe mmap(
      nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    unsafe region = unsafe memory!
    offset = page + (side == .after ? inside - bytes : 0)
    unsafe mprotect(region, page, PROT_NONE)
    unsafe mprotect(region + page + inside, page, PROT_NONE)
    unsafe pointer.update(from: values, count: count)
  }

  deinit { unsafe munmap(region, size) }

  @unsafe var pointer: UnsafeMutablePointer<Element> {
    unsafe (region + offset).assumingMemoryBound(to: Element.self)
  }

  var values: [Element] {
    unsafe Array(UnsafeBufferPointer(start: pointer, count: count))
  }
}

extension SeededGenerator {
  mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> [Float] {
    (0..<count).map { _ in Float.random(in: range, using: &self) }
  }
}

/// The largest difference; a NaN counts as infinite.
func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).reduce(0) { largest, pair in
    let difference = abs(pair.0 - pair.1)
    return difference.isNaN ? .infinity : max(largest, difference)
  }
}

/// Whether all bits are the same.
func isIdentical(_ a: [Float], _ b: [Float]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern }
}
