import ArgumentParser
import Glibc

/// For a container without curl: exit 0 if the service on this host is ready.
struct HealthcheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "healthcheck",
    abstract: "Exits with 0 if the service on this host answers /health/ready with 200.")

  @Option(help: "Port of the service; BERT_SERVER_PORT, else 8080, when not given.")
  var port: UInt16?

  @Option(help: "Seconds to wait for the answer.")
  var timeout: Int = 3

  func run() throws {
    let port = port ?? Environment.value("BERT_SERVER_PORT").flatMap(UInt16.init) ?? 8080
    let status = Self.status(port: port, timeout: timeout)
    guard status == 200 else {
      let reason = status.map { "it answers \($0)" } ?? "it does not answer"
      printError("not ready: \(reason) on 127.0.0.1:\(port)")
      throw ExitCode(1)
    }
  }

  /// The status of `GET /health/ready`; nil without an answer.
  private static func status(port: UInt16, timeout: Int) -> Int? {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard socket >= 0 else { return nil }
    defer { close(socket) }
    var limit = timeval(tv_sec: timeout, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    unsafe setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    let connected = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { return nil }
    let request = Array(
      "GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
    let sent = unsafe request.withUnsafeBytes {
      unsafe send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
    guard sent == request.count else { return nil }
    // "HTTP/1.1 200": the first twelve bytes tell it.
    var head: [UInt8] = []
    while head.count < 12 {
      var piece = [UInt8](repeating: 0, count: 64)
      let count = unsafe piece.withUnsafeMutableBytes {
        unsafe recv(socket, $0.baseAddress, $0.count, 0)
      }
      guard count > 0 else { return nil }
      head += piece[..<count]
    }
    return Int(String(decoding: head[9..<12], as: UTF8.self))
  }
}
