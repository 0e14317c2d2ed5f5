import CDigest
import Glibc

/// The SHA-256 of what is added, piece by piece.
@safe
public final class Digest {
  /// Nil once it is finished.
  private var state: OpaquePointer?

  public init() throws(BulkError) {
    unsafe state = unsafe digest_new()
    guard unsafe state != nil else { throw Self.failed }
  }

  deinit { _ = try? hexadecimal() }

  /// A text, and where it ends: two that follow each other differ from one.
  public func add(_ text: String) throws(BulkError) {
    let bytes = Array(text.utf8)
    let count = bytes.count
    try add(bytes[...] + (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) })
  }

  func add(_ bytes: ArraySlice<UInt8>) throws(BulkError) {
    // libcrypto does not keep the bytes.
    let isAdded = unsafe bytes.withUnsafeBytes { bytes in
      guard let state = unsafe state else { return false }
      return unsafe digest_add(state, bytes.baseAddress, bytes.count)
    }
    guard isAdded else { throw Self.failed }
  }

  /// A file's name in its folder and all its bytes.
  public func add(fileAt name: String, in folder: String) throws(BulkError) {
    try add(name)
    let path = "\(folder)/\(name)"
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw BulkError("\(path) cannot be read: \(errorText())") }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    let size = buffer.count
    while true {
      let count = unsafe read(descriptor, &buffer, size)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw BulkError("\(path) cannot be read: \(errorText())") }
      if count == 0 { return }
      try add(buffer[..<count])
    }
  }

  /// The digest in 64 digits; nothing more can be added.
  public func hexadecimal() throws(BulkError) -> String {
    guard let state = unsafe state else { throw Self.failed }
    unsafe self.state = nil
    var bytes = [UInt8](repeating: 0, count: Int(DIGEST_SIZE))
    guard unsafe digest_finish(state, &bytes) else { throw Self.failed }
    let digits = Array("0123456789abcdef".utf8)
    let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    return String(decoding: text, as: UTF8.self)
  }

  private static let failed = BulkError("libcrypto makes no SHA-256: there is no memory left")
}
