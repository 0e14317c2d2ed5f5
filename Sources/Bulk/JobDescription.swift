import Glibc
import JSON

/// What a folder's parts are made of, kept beside them: parts of two jobs would not fit each other.
public struct JobDescription: Sendable {
  /// Names and values, in this order.
  private var members: [(name: String, value: String)]

  public init(_ members: [(name: String, value: String)]) { self.members = members }

  private var bytes: [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    for (name, value) in members {
      writer.key(name)
      writer.string(value)
    }
    writer.endObject()
    return writer.bytes + [UInt8(ascii: "\n")]
  }

  /// Writes the description, or finds that the same job wrote it before.
  ///
  /// - Throws: `BulkError` with what differs, if another job did.
  public func claim(_ folder: String) throws(BulkError) {
    guard unsafe mkdir(folder, 0o755) == 0 || errno == EEXIST else {
      throw BulkError("\(folder) cannot be made: \(errorText())")
    }
    let path = "\(folder)/job.json"
    if unsafe access(path, F_OK) != 0 {
      // Several processes may begin at once: each has a file of its own, and all say the same.
      let spool = try Spool(path: "\(folder)/.job.\(getpid())")
      try spool.append(bytes)
      try spool.finish(as: path)
    }
    let reader = try LineReader(path: path, limit: 1 << 20)
    guard case .bytes(let found)? = try reader.next(),
      case .object(let before)? = try? JSONParser.parse(found)
    else { throw BulkError("\(path) is not a description of a job: choose another folder") }
    for (name, value) in members where before[RawText(name)] != .string(value) {
      let old = if case .string(let old)? = before[RawText(name)] { old } else { "nothing" }
      throw BulkError(
        "\(folder) holds another job's output: its \(name) is '\(old)', and here it is '\(value)'. "
          + "Choose another folder, or empty that one")
    }
  }
}
