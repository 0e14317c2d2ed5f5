#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A whole file, mapped read-only: its pages are read when touched, and shared between processes.
///
/// The mapping outlives a rename or removal of the file. A file that is truncated while mapped
/// kills the process at the next touch (SIGBUS): replace model files by renaming, not in place.
///
/// `@unchecked Sendable`: the memory is read-only and no property changes after `init`.
@safe
public final class MappedFile: @unchecked Sendable {
  public let path: String
  private let base: UnsafeMutableRawPointer
  /// Size in bytes, at least 1.
  public let size: Int

  /// Opens and maps a regular file that is not empty.
  public init(path: String) throws(CheckpointError) {
    func failed(_ reason: String) -> CheckpointError { .file(path: path, reason: reason) }
    // O_NONBLOCK: opening a pipe with no writer must fail below, not wait.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failed(Self.reason("cannot be opened", errno)) }
    defer { close(descriptor) }
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
    let base = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let base = unsafe base, unsafe base != MAP_FAILED else {
      throw failed(Self.reason("cannot be mapped", errno))
    }
    self.path = path
    unsafe self.base = unsafe base
    self.size = size
  }

  deinit { unsafe munmap(base, size) }

  /// The file's bytes, valid while this object lives.
  @unsafe public var bytes: UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(start: base, count: size)
  }

  /// The text in these bytes; nil if it is not UTF-8.
  ///
  /// - Precondition: the range lies inside the file.
  func string(_ range: Range<Int>) -> String? {
    unsafe String(validating: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
  }

  /// Tells the kernel that the pages of these bytes are done with: they leave this process's
  /// resident memory. Reading them again is allowed, and reads them from the file.
  public func adviseDone(_ range: Range<Int>) {
    let range = range.clamped(to: 0..<size)
    guard !range.isEmpty else { return }
    let start = range.lowerBound & ~(Int(getpagesize()) - 1)
    unsafe madvise(base + start, range.upperBound - start, MADV_DONTNEED)
  }

  private static func reason(_ what: String, _ code: Int32) -> String {
    unsafe "\(what): \(String(cString: strerror(code)))"
  }
}
