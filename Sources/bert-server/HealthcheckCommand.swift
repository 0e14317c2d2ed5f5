import ArgumentParser
import COpenSSL
import HTTPClient
import Settings

/// For a container without curl: exit 0 if the service on this host is ready.
struct HealthcheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "healthcheck",
    abstract: "Exits with 0 if the server on this host answers /health/ready with 200.",
    discussion: """
      Port and TLS are read from the settings file and the environment, as the service reads them. \
      Over TLS the service's certificate is not verified; if the service asks for one, its own is \
      shown.
      """)

  @Option(help: "Settings file. Default: BERT_SERVER_CONFIG.")
  var config: String?

  @Option(help: "Port of the server.")
  var port: UInt16?

  @Flag(help: "Use TLS even if the settings do not.")
  var tls = false

  @Option(help: "Timeout in seconds.")
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
    // Freed by the end of the process.
    var context: OpaquePointer?
    if tls || !settings.tlsCertificate.isEmpty {
      let hasCertificate = !settings.tlsClientCA.isEmpty
      var fault = tls_fault()
      unsafe context = tls_unverified_client_context(
        hasCertificate ? settings.tlsCertificate : nil, hasCertificate ? settings.tlsKey : nil,
        &fault)
      if unsafe context == nil { return nil }
    }
    let client = unsafe HTTPClient(
      host: "127.0.0.1", port: String(port), timeLimit: timeout, tls: context)
    return try? client.ask("GET", "/health/ready")?.status
  }
}
