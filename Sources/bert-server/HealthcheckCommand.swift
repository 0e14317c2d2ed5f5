import ArgumentParser
import COpenSSL
import Glibc
import Settings

/// For a container without curl: exit 0 if the service on this host is ready.
struct HealthcheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "healthcheck",
    abstract: "Exits with 0 if the service on this host answers /health/ready with 200.",
    discussion: """
      Port and TLS are read from the settings file and the environment, as the service reads them. \
      Over TLS the service's certificate is not verified; if the service asks for one, its own is \
      shown.
      """)

  @Option(help: "File of settings; BERT_SERVER_CONFIG when not given.")
  var config: String?

  @Option(help: "Port of the service.")
  var port: UInt16?

  @Flag(help: "The service speaks TLS, though no setting says so.")
  var tls = false

  @Option(help: "Seconds to wait for the answer.")
  var timeout: Int = 3

  func run() throws {
    let settings: Settings
    do {
      settings = try Settings.resolve(config: config, environment: Environment.all)
    } catch {
      printError("\(error)")
      throw ExitCode(2)
    }
    let port = port ?? UInt16(clamping: settings.port)
    let status = status(settings, port)
    guard status == 200 else {
      let reason = status.map { "it answers \($0)" } ?? "it does not answer"
      printError("not ready: \(reason) on 127.0.0.1:\(port)")
      throw ExitCode(1)
    }
  }

  /// The status of `GET /health/ready`; nil without an answer.
  private func status(_ settings: Settings, _ port: UInt16) -> Int? {
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
    // Freed by the end of the process.
    var session: OpaquePointer?
    if tls || !settings.tlsCertificate.isEmpty {
      let hasCertificate = !settings.tlsClientCA.isEmpty
      var fault = tls_fault()
      guard
        let context = unsafe tls_unverified_client_context(
          hasCertificate ? settings.tlsCertificate : nil, hasCertificate ? settings.tlsKey : nil,
          &fault)
      else { return nil }
      unsafe session = tls_session_new(context, socket)
      if unsafe session == nil { return nil }
    }
    let request = Array(
      "GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
    let sent = unsafe request.withUnsafeBytes { bytes in
      if let session = unsafe session {
        return unsafe tls_send(session, bytes.baseAddress, bytes.count, nil, 0)
      }
      return unsafe send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
    }
    guard sent == request.count else { return nil }
    // "HTTP/1.1 200": the first twelve bytes tell it.
    var head: [UInt8] = []
    while head.count < 12 {
      var piece = [UInt8](repeating: 0, count: 64)
      let capacity = piece.count
      let count =
        if let session = unsafe session {
          unsafe tls_receive(session, &piece, capacity)
        } else {
          unsafe recv(socket, &piece, capacity, 0)
        }
      guard count > 0 else { return nil }
      head += piece[..<count]
    }
    return Int(String(decoding: head[9..<12], as: UTF8.self))
  }
}
