#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A mutex with a condition: a thread waits without using the processor until another says that
/// something has changed.
///
/// `@unchecked Sendable`: nothing changes after `init` but what pthread changes itself, in places that
/// never move.
@safe
final class Monitor: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>

  init() {
    unsafe mutex = .allocate(capacity: 1)
    unsafe changed = .allocate(capacity: 1)
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(changed, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(changed)
    unsafe pthread_mutex_destroy(mutex)
    unsafe changed.deallocate()
    unsafe mutex.deallocate()
  }

  /// Calls `body` with the mutex held, then wakes all who wait.
  func change(_ body: () -> Void) {
    unsafe pthread_mutex_lock(mutex)
    body()
    unsafe pthread_cond_broadcast(changed)
    unsafe pthread_mutex_unlock(mutex)
  }

  /// Waits until `body`, called with the mutex held, gives a value.
  func wait<Value>(for body: () -> Value?) -> Value {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while true {
      if let value = body() { return value }
      unsafe pthread_cond_wait(changed, mutex)
    }
  }
}
