import Glibc
import JSON

/// An output folder and what its parts are made of, kept beside them in `job.json`: parts of two jobs
/// would not fit each other. It is one process's, or that of several with a share of the parts each.
public final class JobFolder {
  private let path: String
  /// Names and values, in this order.
  private let members: [(name: String, value: String)]
  private let spoolPath: String
  /// Holds the lock, for as long as this object lives.
  private let descriptor: Int32
  /// Whether the folder was not there before.
  private let isNew: Bool

  private var descriptionPath: String { "\(path)/job.json" }

  /// Makes the folder if it is not there, and finds that no other job and no other process writes to it.
  ///
  /// - Parameters:
  ///   - members: what the parts are made of.
  ///   - shard: this process's share of the parts, others have theirs; nil: all are its own.
  public init(
    _ path: String, _ members: [(name: String, value: String)], shard: BulkJob.Shard?
  ) throws(BulkError) {
    self.path = path
    self.members = members
    spoolPath = "\(path)/.job.\(shard?.index ?? 0)"
    (descriptor, isNew) = try Self.locked(path, shard == nil ? LOCK_EX : LOCK_SH)
    try check()
  }

  /// Opens the folder and locks it.
  private static func locked(
    _ path: String, _ lock: Int32
  ) throws(BulkError) -> (descriptor: Int32, isNew: Bool) {
    while true {
      let isNew = unsafe mkdir(path, 0o755) == 0
      guard isNew || errno == EEXIST else {
        throw BulkError("\(path) cannot be made: \(errorText())")
      }
      let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      // Another process whose start failed may have removed it.
      if descriptor < 0, errno == ENOENT { continue }
      guard descriptor >= 0 else { throw BulkError("\(path) cannot be opened: \(errorText())") }
      // A file system without locks has none to wait for.
      if flock(descriptor, lock | LOCK_NB) != 0, errno == EWOULDBLOCK {
        close(descriptor)
        throw BulkError(
          "another encode writes to \(path): wait for its end, or give each process a --shard")
      }
      if isOpen(descriptor, as: path) { return (descriptor, isNew) }
      close(descriptor)
    }
  }

  deinit {
    // A start that failed leaves no folder behind, unless it was there before, something is in it
    // or another process has it open.
    if isNew, flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unsafe rmdir(path) }
    close(descriptor)
  }

  /// Writes the description unless the same job did before: once there is something to describe.
  func claim() throws(BulkError) {
    if unsafe access(descriptionPath, F_OK) != 0 {
      // Several processes may begin at once: each has a file of its own, and all say the same.
      let spool = try Spool(path: spoolPath)
      try spool.append(description)
      try spool.finish(as: descriptionPath)
    }
    try check()
  }

  private var description: [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    for (name, value) in members {
      writer.key(name)
      writer.string(value)
    }
    writer.endObject()
    return writer.bytes + [UInt8(ascii: "\n")]
  }

  /// - Throws: `BulkError` with what differs, if another job wrote to the folder.
  private func check() throws(BulkError) {
    // In this order: another process writes its first part after the description.
    let hasParts = namesInFolder(path)?.contains { $0.hasPrefix("part-") } ?? false
    guard unsafe access(descriptionPath, F_OK) == 0 else {
      guard !hasParts else {
        throw BulkError(
          "\(path) has parts and no job.json, which says what they were made of: choose another "
            + "folder, or empty that one")
      }
      return
    }
    let reader = try LineReader(path: descriptionPath, limit: 1 << 20)
    guard case .bytes(let found)? = try reader.next(), let before = try? JSONParser.parse(found),
      case .object = before
    else {
      throw BulkError("\(descriptionPath) is not a description of a job: choose another folder")
    }
    for (name, value) in members where before[name] != .string(value) {
      let old = if case .string(let old)? = before[name] { old } else { "nothing" }
      throw BulkError(
        "\(path) holds another job's output: its \(name) is '\(old)', and here it is '\(value)'. "
          + "Choose another folder, or empty that one")
    }
  }
}
