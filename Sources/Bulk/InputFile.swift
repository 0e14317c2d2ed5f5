import Glibc

/// A file of records, or standard input.
public struct InputFile: Sendable {
  public let path: String
  let format: InputFormat
  /// Bytes of a regular file; nil for a pipe.
  public let size: Int?
  /// When a regular file was last written, before it is read.
  private let modified: timespec

  static let none = InputFile(path: "-", format: .text)

  /// What it is called in messages.
  var name: String { path == "-" ? "standard input" : path }

  /// The files that a command's arguments name: those of a folder in the order of their names, and of
  /// its folders. Hidden ones are left out.
  ///
  /// - Parameter format: nil: what each name says.
  /// - Throws: `BulkError` if a file's format is not known, or has no such fields.
  public static func all(
    _ paths: [String], format: InputFormat?, fields: Fields
  ) throws(BulkError) -> [InputFile] {
    var files: [InputFile] = []
    for path in paths {
      for path in try expanded(path) { files.append(try Self(path, format: format, fields)) }
    }
    guard files.count(where: { $0.path == "-" }) < 2 else {
      throw BulkError("standard input is named twice: it can be read once")
    }
    return files
  }

  private init(path: String, format: InputFormat) {
    (self.path, self.format, size, modified) = (path, format, nil, timespec())
  }

  private init(_ path: String, format given: InputFormat?, _ fields: Fields) throws(BulkError) {
    let formats = InputFormat.allCases.map(\.rawValue).joined(separator: ", ")
    guard let format = given ?? InputFormat(path: path) else {
      throw BulkError(
        "the name of \(path) does not say how it is written: add --input-format (\(formats))")
    }
    self.path = path
    self.format = format
    var status = stat()
    let isFile =
      unsafe path != "-" && stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    size = isFile ? Int(status.st_size) : nil
    modified = status.st_mtim
    guard ![.text, .document].contains(format) || !fields.areNamed else {
      throw BulkError(
        "\(name) is read as plain text, which has no fields: "
          + (given == nil ? "add --input-format, or leave" : "leave")
          + " --field, --second-field and --id-field out")
    }
  }

  private static func expanded(_ path: String) throws(BulkError) -> [String] {
    var status = stat()
    guard unsafe path != "-" && stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    else { return [path] }
    guard let names = namesInFolder(path) else {
      throw BulkError("\(path) cannot be read: \(errorText())")
    }
    let base = path.hasSuffix("/") ? String(path.dropLast()) : path
    var paths: [String] = []
    for name in names { paths += try expanded("\(base)/\(name)") }
    guard !paths.isEmpty else { throw BulkError("\(path) has no files") }
    return paths
  }

  /// Rows of two versions of a file would not fit each other.
  func checkUnchanged() throws(BulkError) {
    guard let size else { return }
    var status = stat()
    guard unsafe stat(path, &status) == 0, status.st_size == size,
      status.st_mtim.tv_sec == modified.tv_sec, status.st_mtim.tv_nsec == modified.tv_nsec
    else {
      throw BulkError(
        "\(path) was changed while it was read, and parts may hold rows of either version: encode it "
          + "again, to an empty folder")
    }
  }

  /// Adds what tells this file from another: name, format, size, and bytes at even distances, all of
  /// them if they are few. Parts hold the digest of all records, which cost more to read.
  public func identify(to digest: Digest) throws(BulkError) {
    try digest.add(path)
    try digest.add(format.rawValue)
    guard let size else { return }
    try digest.add(String(size))
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw BulkError("\(path) cannot be read: \(errorText())") }
    defer { close(descriptor) }
    let sampleSize = 64 << 10
    var buffer = [UInt8](repeating: 0, count: sampleSize)
    let last = max(0, size - sampleSize)
    for sample in 0...15 {
      let count = unsafe pread(descriptor, &buffer, sampleSize, last / 15 * sample)
      guard count >= 0 else { throw BulkError("\(path) cannot be read: \(errorText())") }
      try digest.add(buffer[..<count])
    }
    let count = unsafe pread(descriptor, &buffer, sampleSize, last)
    guard count >= 0 else { throw BulkError("\(path) cannot be read: \(errorText())") }
    try digest.add(buffer[..<count])
  }
}

/// What a folder holds but hidden files, in the order of the names' bytes; nil if it cannot be read.
public func namesInFolder(_ path: String) -> [String]? {
  guard let folder = unsafe opendir(path) else { return nil }
  defer { unsafe closedir(folder) }
  var names: [String] = []
  while let entry = unsafe readdir(folder) {
    // The name is copied before the next call.
    let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
      unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
    }
    if !name.hasPrefix(".") { names.append(name) }
  }
  return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}
