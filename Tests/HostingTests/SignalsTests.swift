import Glibc
import Testing

@testable import Hosting

@Suite struct SignalsTests {
  /// They wait for the thread that asks, hang-ups first.
  @Test func hangUpsAreCountedUntilTheStop() {
    var before = sigset_t()
    // The pointers are used during the calls only.
    unsafe pthread_sigmask(SIG_SETMASK, nil, &before)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
    Signals.block()
    var hangUps = 0
    _ = pthread_kill(pthread_self(), SIGHUP)
    Signals.waitForStop {
      hangUps += 1
      _ = pthread_kill(pthread_self(), hangUps < 3 ? SIGHUP : SIGTERM)
    }
    #expect(hangUps == 3)
  }
}
