import Glibc
import Testing

@testable import Hosting

@Suite struct SignalsTests {
  /// They wait for the thread that asks, hang-ups first.
  @Test func hangUpsAreCountedUntilTheStop() {
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
