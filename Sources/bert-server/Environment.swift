import FoundationEssentials
import Glibc

/// The process's environment.
enum Environment {
  static var all: [String: String] { ProcessInfo.processInfo.environment }

  static func value(_ name: String) -> String? { all[name] }
}

/// Says why a command cannot go on; nothing if nobody reads standard error, so that it always ends.
func printError(_ message: String) {
  var descriptor = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
  // The pointer is used during the call only.
  guard unsafe poll(&descriptor, 1, 1000) != 0 else { return }
  write("bert-server: \(message)\n", to: STDERR_FILENO)
}

/// Writes the whole text at once, past any buffer of the C library's.
func write(_ text: String, to descriptor: Int32) {
  let bytes = Array(text.utf8)
  unsafe bytes.withUnsafeBytes { bytes in
    _ = unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
  }
}
