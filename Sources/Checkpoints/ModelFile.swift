#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A regular file of a model folder, read with pread(2) into the caller's memory.
///
/// Not mapped: a mapped file that is cut short ends the process (SIGBUS), and one that is written
/// in place changes what was read. Here both are errors of the read that meets them: every read is
/// followed by a check that the file's size and modification time are those that it was opened with.
///
/// The descriptor stays open, so a file may be renamed or removed meanwhile.
public final class ModelFile: Sendable {
  public let path: String
  /// Size in bytes, at least 1.
  public let size: Int
  private let descriptor: Int32
  private let modification: (seconds: Int, nanoseconds: Int)

  /// The most that is copied at once for parsing. BERT-large's `saved_model.pb` takes 10 MB.
  static let maximumCopySize = 256 << 20
  /// Larger ranges are read in chunks of about this size.
  static let chunkSize = 1 << 20

  /// Opens a regular file that is not empty.
  public init(path: String) throws(CheckpointError) {
    func failed(_ reason: String) -> CheckpointError { .file(path: path, reason: reason) }
    // O_NONBLOCK: opening a pipe with no writer must fail below, not wait.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failed(Self.reason("cannot be opened", errno)) }
    var isUsed = false
    defer { if !isUsed { close(descriptor) } }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      throw failed(Self.reason("cannot be examined", errno))
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw failed("is a directory, a file is needed")
    default: throw failed("is not a regular file")
    }
    guard let size = Int(exactly: status.st_size), size > 0 else {
      throw failed("is empty; was it fetched in full?")
    }
    self.path = path
    self.size = size
    self.descriptor = descriptor
    modification = Self.modification(status)
    isUsed = true
    let pointer = Array("version https://git-lfs.github.com/spec/".utf8)
    guard try bytes(0..<min(size, pointer.count)).bytes != pointer else {
      throw failed("is a Git LFS pointer and not the file itself: call git lfs pull in its folder")
    }
  }

  deinit { close(descriptor) }

  /// Copies these bytes.
  ///
  /// - Precondition: the range lies inside the file.
  func bytes(_ range: Range<Int>) throws(CheckpointError) -> FileBytes {
    guard range.count <= Self.maximumCopySize else {
      throw .file(
        path: path,
        reason: "\(range.count) bytes are to be parsed at once, at most \(Self.maximumCopySize) are"
      )
    }
    var outcome: Result<Void, CheckpointError> = .success(())
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      let buffer = UnsafeMutableRawBufferPointer(buffer)
      outcome = unsafe fill(
        UnsafeMutableRawBufferPointer(rebasing: buffer[..<range.count]), at: range.lowerBound)
      if case .success = outcome { count = range.count }
    }
    try outcome.get()
    return FileBytes(path: path, start: range.lowerBound, bytes: bytes)
  }

  /// A copy of the whole file.
  public func copy() throws(CheckpointError) -> [UInt8] { try bytes().bytes }

  /// Copies the whole file.
  func bytes() throws(CheckpointError) -> FileBytes { try bytes(0..<size) }

  /// The range in pieces of about `chunkSize`, each a multiple of `unit` bytes but for the last.
  func chunks(of range: Range<Int>, unit: Int) -> [Range<Int>] {
    let size = max(1, Self.chunkSize / unit) * unit
    return stride(from: range.lowerBound, to: range.upperBound, by: size).map {
      $0..<min($0 + size, range.upperBound)
    }
  }

  func checksum(_ kind: Checksum, of range: Range<Int>) throws(CheckpointError) -> UInt32 {
    var value: UInt32 = 0
    for chunk in chunks(of: range, unit: 1) {
      let bytes = try bytes(chunk).bytes
      value = unsafe bytes.withUnsafeBytes { unsafe kind($0, after: value) }
    }
    return value
  }

  /// Copies bytes into values of this machine's own form.
  func read(
    into values: inout MutableSpan<Float>, at offset: Int
  ) throws(CheckpointError) {
    let outcome = unsafe values.withUnsafeMutableBytes { unsafe fill($0, at: offset) }
    try outcome.get()
  }

  private func fill(
    _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) -> Result<Void, CheckpointError> {
    func failed(_ reason: String) -> Result<Void, CheckpointError> {
      .failure(.file(path: path, reason: reason))
    }
    var done = 0
    while done < buffer.count {
      // In bounds: `done` is below the buffer's size.
      let count = unsafe pread(
        descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return failed(Self.reason("cannot be read", errno)) }
      guard count > 0 else { return failed("was cut short while it was read") }
      done += count
    }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, Int(exactly: status.st_size) == size,
      Self.modification(status) == modification
    else {
      return failed(
        "was changed while it was read; replace files by renaming, and start again")
    }
    return .success(())
  }

  private static func modification(_ status: stat) -> (seconds: Int, nanoseconds: Int) {
    #if canImport(Glibc)
      (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    #else
      (status.st_mtimespec.tv_sec, status.st_mtimespec.tv_nsec)
    #endif
  }

  private static func reason(_ what: String, _ code: Int32) -> String {
    unsafe "\(what): \(String(cString: strerror(code)))"
  }
}
