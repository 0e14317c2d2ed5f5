import Glibc

/// Signals, taken one by one by threads that wait for them and by no handler: a handler may do next to
/// nothing (signal-safety(7)).
public enum Signals {
  /// Those that end a command, and SIGHUP, which ends it too or has files read again.
  private static let awaited = [SIGTERM, SIGINT, SIGHUP]
  /// Each would end the process at once, and none is meant for it; SIGPIPE: a client that is gone is
  /// told by the write.
  private static let ignored = [SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM]

  /// Blocks what is awaited in this thread and all that it starts: call before any other thread
  /// exists.
  public static func block() {
    var set = awaitedSet()
    unsafe _ = pthread_sigmask(SIG_BLOCK, &set, nil)
    for number in ignored { _ = signal(number, SIG_IGN) }
  }

  /// Waits for the next of them.
  public static func wait() -> Int32 {
    var set = awaitedSet()
    var number: Int32 = 0
    while unsafe sigwait(&set, &number) != 0 {}
    return number
  }

  /// Waits for the next that ends the command, and calls `hangUp` for each SIGHUP before it.
  public static func waitForStop(hangUp: () -> Void) {
    while wait() == SIGHUP { hangUp() }
  }

  private static func awaitedSet() -> sigset_t {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in awaited { unsafe sigaddset(&set, number) }
    return set
  }
}
