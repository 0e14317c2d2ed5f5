import CPlatform
import FoundationEssentials
public import HTTP
public import Serving

/// Gauges of the process and of its server for `/metrics`. The server is made after the service
/// that shows them, so it is handed in later.
///
/// `@unchecked Sendable`: `server` is written once, before the server listens.
public final class StatisticsSource: @unchecked Sendable {
  private weak var server: Server?
  private let memory: MemoryBudget

  public init(_ memory: MemoryBudget) { self.memory = memory }

  public func watch(_ server: Server) { self.server = server }

  public var measurements: [ProcessFacts.Measurement] {
    typealias Measurement = ProcessFacts.Measurement
    func server(_ value: @escaping @Sendable (ServerStatistics) -> Int) -> @Sendable () -> Double {
      { [self] in Double(value(self.server?.statistics ?? ServerStatistics())) }
    }
    let memory = memory
    let start = Date().timeIntervalSince1970
    return [
      Measurement(
        "bert_open_connections", .gauge, help: "Open connections.",
        value: server(\.openConnections)),
      Measurement(
        "bert_requests_in_flight", .gauge, help: "Requests in flight.",
        value: server(\.requestsInFlight)),
      Measurement(
        "bert_connections_total", .counter, help: "Accepted connections.",
        value: server(\.acceptedConnections)),
      Measurement(
        "bert_rejected_connections_total", .counter,
        help: "Connections rejected at a connection limit.",
        value: server(\.rejectedConnections)),
      Measurement(
        "bert_failed_handshakes_total", .counter, help: "Failed TLS handshakes.",
        value: server(\.failedHandshakes)),
      Measurement(
        "bert_received_bytes_total", .counter, help: "Bytes read from clients.",
        value: server(\.bytesReceived)),
      Measurement(
        "bert_sent_bytes_total", .counter, help: "Bytes written to clients.",
        value: server(\.bytesSent)),
      Measurement(
        "bert_evicted_connections_total", .counter,
        help: "Idle connections closed for new ones at the connection limit.",
        value: server(\.evictedConnections)),
      Measurement(
        "bert_buffered_bytes", .gauge, help: "Memory held by requests and responses."
      ) { Double(memory.used) },
      Measurement(
        "bert_buffered_bytes_limit", .gauge, help: "Limit of bert_buffered_bytes."
      ) { Double(memory.limit) },
      Measurement(
        "bert_buffered_bytes_refusals_total", .counter, help: "Requests refused at that limit."
      ) { Double(memory.refusals) },
      Measurement(
        "bert_log_lines_dropped_total", .counter,
        help: "Log lines dropped because standard error was not read in time."
      ) { Double(LogWriter.standardError.dropped) },
      Measurement(
        "process_resident_memory_bytes", .gauge, help: "Resident memory."
      ) { Double(platform_resident_bytes()) },
      Measurement(
        "process_start_time_seconds", .gauge, help: "When the process started, Unix time."
      ) { start },
    ]
  }
}
