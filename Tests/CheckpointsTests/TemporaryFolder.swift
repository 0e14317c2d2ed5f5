import FoundationEssentials
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A folder of its own, removed when the test lets go of it.
final class TemporaryFolder {
  let path: String

  /// - Parameter isInMemory: asks for a folder that is on no disk, if the system has any.
  init(isInMemory: Bool = false) throws {
    let memory = "/dev/shm"
    let root =
      isInMemory && FileManager.default.isWritableFile(atPath: memory)
      ? memory : FileManager.default.temporaryDirectory.path
    path = root + "/checkpoints-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  @discardableResult
  func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
    let file = "\(path)/\(name)"
    if let slash = name.lastIndex(of: "/") {
      try FileManager.default.createDirectory(
        atPath: "\(path)/\(name[..<slash])", withIntermediateDirectories: true)
    }
    try Data(bytes).write(to: URL(filePath: file))
    return file
  }

  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    try write(text.utf8, to: name)
  }

  func remove(_ name: String) throws {
    try FileManager.default.removeItem(atPath: "\(path)/\(name)")
  }

  /// Like `write`, but does not wait for a disk.
  func overwrite(_ name: String, with bytes: [UInt8]) throws {
    guard let file = unsafe fopen("\(path)/\(name)", "w") else {
      Issue.record("cannot write \(name)")
      return
    }
    defer { unsafe fclose(file) }
    let count = unsafe fwrite(bytes, 1, bytes.count, file)
    #expect(count == bytes.count)
  }
}
