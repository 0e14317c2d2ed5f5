#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A value behind a lock. It is the standard library's `Mutex` on a lock that the thread sanitizer
/// knows, so that its runs tell the truth.
///
/// `@unchecked Sendable`: `value` is touched under `lock` only, which never moves.
@safe
package final class Locked<Value>: @unchecked Sendable {
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private var value: Value

  package init(_ value: sending Value) {
    self.value = value
    unsafe lock = .allocate(capacity: 1)
    unsafe pthread_mutex_init(lock, nil)
  }

  deinit {
    unsafe pthread_mutex_destroy(lock)
    unsafe lock.deallocate()
  }

  package func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    unsafe pthread_mutex_lock(lock)
    defer { unsafe pthread_mutex_unlock(lock) }
    return try body(&value)
  }
}
