import Dispatch
import HTTP
import Service

/// From the first SIGTERM or SIGINT to the exit.
struct Shutdown {
  let service: Service
  let server: Server
  /// How long new connections are served: whoever routes requests here learns of the stop a little
  /// later than we do.
  let grace: Duration
  /// After that, how long what is in flight or half sent may take.
  let patience: Duration

  /// Whether every accepted request was answered.
  func run() -> Bool {
    service.beginDraining()
    server.beginDrain()
    let isStopped = DispatchSemaphore(value: 0)
    _ = isStopped.wait(timeout: .now() + grace.seconds)
    server.stop { isStopped.signal() }
    return isStopped.wait(timeout: .now() + patience.seconds) == .success
  }
}
