public import Dispatch
import Glibc

/// Standard error as a log: lines are written by a queue of its own, so that no request and no stop
/// ever waits for whoever reads them. What does not fit in the buffer is dropped and counted.
///
/// `@unchecked Sendable`: `state` is touched in `withState` only, on `stateQueue`.
public final class LogWriter: @unchecked Sendable {
  public static let standardError = LogWriter(STDERR_FILENO)

  /// Bytes of lines that wait to be written.
  private static let maxBufferedBytes = 1 << 20

  private struct State {
    var buffer: [UInt8] = []
    var dropped = 0
    /// Of them, those that the log itself does not tell of yet.
    var untold = 0
    var isWriting = false
  }

  private let descriptor: Int32
  private var state = State()
  private let stateQueue = DispatchQueue(label: "bert-server.log.state")
  /// The only place that may block.
  private let writeQueue = DispatchQueue(label: "bert-server.log.write")

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  private func withState<T>(_ body: (inout State) -> T) -> T {
    stateQueue.sync { body(&state) }
  }

  /// Lines dropped since the start.
  public var dropped: Int { withState { $0.dropped } }

  /// Takes a line, with its end; returns at once.
  func append(_ line: [UInt8]) {
    let mustStart = withState { state in
      guard state.buffer.count <= Self.maxBufferedBytes - line.count else {
        state.dropped += 1
        state.untold += 1
        return false
      }
      state.buffer += line
      defer { state.isWriting = true }
      return !state.isWriting
    }
    if mustStart { writeQueue.async { [self] in write() } }
  }

  /// Waits until all is written, but not longer than that.
  public func flush(timeout: DispatchTimeInterval) {
    let isDone = DispatchSemaphore(value: 0)
    writeQueue.async { isDone.signal() }
    _ = isDone.wait(timeout: .now() + timeout)
  }

  private func write() {
    while true {
      let (bytes, untold) = withState { state in
        var bytes: [UInt8] = []
        swap(&bytes, &state.buffer)
        let untold = state.untold
        state.untold = 0
        state.isWriting = !bytes.isEmpty || untold > 0
        return (bytes, untold)
      }
      if bytes.isEmpty, untold == 0 { return }
      write(bytes)
      if untold > 0 {
        let line = "bert-server: \(untold) log lines dropped: standard error is read too slowly\n"
        write(Array(line.utf8))
      }
    }
  }

  /// A log that cannot be written (a full disk, a closed pipe) loses lines and stops nothing.
  private func write(_ bytes: [UInt8]) {
    var start = 0
    while start < bytes.count {
      // The buffer does not leave the closure.
      let written = unsafe bytes.withUnsafeBytes { bytes in
        unsafe Glibc.write(descriptor, bytes.baseAddress! + start, bytes.count - start)
      }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { return }
      start += written
    }
  }
}
