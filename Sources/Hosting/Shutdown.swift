import Dispatch
public import Encoding
public import HTTP
import Serving

/// From the first SIGTERM or SIGINT to the exit.
public struct Shutdown {
  let models: ServedModels
  let server: Server
  /// How long new connections are served: whoever routes requests here learns of the stop a little
  /// later than we do.
  let grace: Duration
  /// After that, how long what is in flight or half sent may take.
  let patience: Duration

  public init(models: ServedModels, server: Server, grace: Duration, patience: Duration) {
    self.models = models
    self.server = server
    self.grace = grace
    self.patience = patience
  }

  /// Whether every accepted request was answered.
  public func run() -> Bool {
    models.beginDraining()
    server.beginDrain()
    let isStopped = DispatchSemaphore(value: 0)
    _ = isStopped.wait(timeout: .now() + grace.seconds)
    server.stop { isStopped.signal() }
    return isStopped.wait(timeout: .now() + patience.seconds) == .success
  }
}
