import Glibc
import JSON
import Logging
import Settings

/// swift-log as lines on standard error: for people, or a JSON object each.
struct LineLogHandler: LogHandler {
  let label: String
  let format: LogFormat
  var logLevel: Logger.Level = .info
  var metadata: Logger.Metadata = [:]

  init(label: String, format: LogFormat) {
    self.label = label
    self.format = format
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    LogWriter.standardError.append(line(event.level, event.message.description, all))
  }

  /// With its end.
  func line(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) -> [UInt8] {
    let all = metadata.sorted { $0.key < $1.key }
    let line = format == .json ? json(level, message, all) : text(level, message, all)
    return line + [UInt8(ascii: "\n")]
  }

  private func json(
    _ level: Logger.Level, _ message: String,
    _ metadata: [(key: String, value: Logger.MetadataValue)]
  ) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("time")
    writer.string(Self.timestamp())
    writer.key("level")
    writer.string(level.rawValue)
    writer.key("message")
    writer.string(message)
    for (key, value) in metadata {
      writer.key(key)
      // What was put in as a number is one; a text of digits stays a text.
      if case .stringConvertible(let value) = value, let number = value as? Int {
        writer.integer(number)
      } else {
        writer.string(value.description)
      }
    }
    writer.endObject()
    return writer.bytes
  }

  /// `TIME LEVEL LABEL: key=value … MESSAGE`; a line end in a value does not end the line.
  private func text(
    _ level: Logger.Level, _ message: String,
    _ metadata: [(key: String, value: Logger.MetadataValue)]
  ) -> [UInt8] {
    let values = metadata.map { " \($0.key)=\($0.value)" }.joined()
    let line = "\(Self.timestamp()) \(level.rawValue) \(label):\(values) \(message)"
    return line.utf8.map { $0 < 0x20 ? 0x20 : $0 }
  }

  /// UTC, ISO 8601 with milliseconds.
  private static func timestamp() -> String {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    var fields = unsafe tm()
    unsafe gmtime_r(&now.tv_sec, &fields)
    func digits(_ number: Int, _ width: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    let date = [
      digits(Int(unsafe fields.tm_year) + 1900, 4), digits(Int(unsafe fields.tm_mon) + 1, 2),
      digits(Int(unsafe fields.tm_mday), 2),
    ].joined(separator: "-")
    let time = unsafe [fields.tm_hour, fields.tm_min, fields.tm_sec]
      .map { digits(Int($0), 2) }.joined(separator: ":")
    return "\(date)T\(time).\(digits(now.tv_nsec / 1_000_000, 3))Z"
  }
}
