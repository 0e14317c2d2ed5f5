import Foundation

/// A value behind a lock. It is the standard library's `Mutex` on a lock that the thread sanitizer
/// knows, so that its runs tell the truth.
///
/// `@unchecked Sendable`: `value` is touched under `lock` only.
final class Locked<Value>: @unchecked Sendable {
  private let lock = NSLock()
  private var value: Value

  init(_ value: sending Value) { self.value = value }

  func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}
