import Glibc

/// SIGTERM and SIGINT, taken one by one on the main thread and by no handler: a handler may do next
/// to nothing (signal-safety(7)).
enum Signals {
  /// Blocks both in this thread and all that it starts: call before any other thread exists.
  static func block() {
    var set = stopSignals()
    unsafe _ = pthread_sigmask(SIG_BLOCK, &set, nil)
    // A client that is gone is told by the write, not by a signal.
    _ = signal(SIGPIPE, SIG_IGN)
  }

  /// Waits for the next of them.
  static func wait() {
    var set = stopSignals()
    var number: Int32 = 0
    while unsafe sigwait(&set, &number) != 0 {}
  }

  private static func stopSignals() -> sigset_t {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, SIGTERM)
    unsafe sigaddset(&set, SIGINT)
    return set
  }
}
