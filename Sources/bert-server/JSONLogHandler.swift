import Glibc
import JSON
import Logging

/// swift-log on standard error, a JSON object a line.
struct JSONLogHandler: LogHandler {
  let label: String
  var logLevel: Logger.Level = .info
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("time")
    writer.string(Self.timestamp())
    writer.key("level")
    writer.string(event.level.rawValue)
    writer.key("message")
    writer.string(event.message.description)
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    for (key, value) in all.sorted(by: { $0.key < $1.key }) {
      writer.key(key)
      let text = value.description
      if let number = Int(text) { writer.integer(number) } else { writer.string(text) }
    }
    writer.endObject()
    let line = writer.bytes + [UInt8(ascii: "\n")]
    // One call a line, so that lines of several threads do not mix. A log that cannot be written
    // (a full disk, a closed pipe) must not stop the service.
    unsafe line.withUnsafeBytes { bytes in
      _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count)
    }
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
