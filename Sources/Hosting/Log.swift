public import HTTP
import Logging
public import Serving
public import Settings
import Synchronization

/// The process's log on standard error: swift-log's levels, as text or as a JSON object a line.
public struct Log: Sendable {
  private let logger: Logger
  private let loggedNames = LoggedNames()

  public init(_ settings: Settings) {
    let format = settings.logFormat
    LoggingSystem.bootstrap { label in LineLogHandler(label: label, format: format) }
    var logger = Logger(label: "bert-server")
    logger.logLevel = Logger.Level(rawValue: settings.logLevel.rawValue) ?? .info
    self.logger = logger
  }

  public func info(_ message: String) { logger.info("\(message)") }
  public func warning(_ message: String) { logger.warning("\(message)") }
  public func error(_ message: String) { logger.error("\(message)") }

  /// Clients' mistakes are no operator's business; our own are.
  public func event(_ event: ServerEvent) {
    switch event {
    case .handshakeFailed: logger.debug("\(event.description)")
    case .acceptFailed: logger.warning("\(event.description)")
    case .unanswered, .unfinished: logger.error("\(event.description)")
    }
  }

  /// One line a request, with sizes and times and never the text. What a client brings about by
  /// itself is no error of ours, other statuses from 501 on included.
  public func request(_ record: RequestRecord) {
    for name in record.ignoredNames where loggedNames.isNew(name) {
      info(
        "\(record.route): '\(name)' had no effect; logged once, counted in "
          + "bert_ignored_members_total")
    }
    let isFault = record.status == 500
    let level: Logger.Level = isFault ? .error : .debug
    guard logger.logLevel <= level else { return }
    let stages = record.stages
    var metadata: Logger.Metadata = [
      "id": "\(record.id)", "method": "\(record.method)", "route": "\(record.route)",
      "remote": "\(record.remoteAddress)",
    ]
    for (name, number) in [
      ("status", record.status), ("texts", record.texts), ("tokens", record.tokens),
      ("truncated", record.truncated), ("tokenize_us", stages.tokenize.microseconds),
      ("queue_us", stages.queue.microseconds), ("encode_us", stages.encode.microseconds),
      ("serialize_us", stages.serialize.microseconds), ("total_us", stages.total.microseconds),
    ] {
      metadata[name] = .stringConvertible(number)
    }
    if !record.ignoredNames.isEmpty {
      metadata["ignored"] = "\(record.ignoredNames.joined(separator: ", "))"
    }
    if !record.failure.isEmpty { metadata["failure"] = "\(record.failure)" }
    if !record.model.isEmpty { metadata["model"] = "\(record.model)" }
    if let trace = record.trace {
      metadata["trace_id"] = "\(trace.traceID)"
      metadata["span_id"] = "\(trace.spanID)"
      metadata["parent_span_id"] = "\(trace.parentID)"
    }
    logger.log(level: level, "request", metadata: metadata)
  }
}

/// Names that clients choose, each logged once, up to a number of them.
private final class LoggedNames: Sendable {
  private static let most = 100

  private let names = Mutex<Set<String>>([])

  /// - Parameter name: of ASCII characters.
  func isNew(_ name: String) -> Bool {
    names.withLock { $0.count < Self.most && $0.insert(name).inserted }
  }
}

extension Duration {
  fileprivate var microseconds: Int { Int(seconds * 1e6) }
}
