import Dispatch
import Glibc

/// Looks every second whether files have changed. Not inotify(7): it follows neither the symbolic
/// links that Kubernetes swaps nor a file that is replaced.
///
/// `@unchecked Sendable`: what changes does so on `queue`.
final class FileWatcher: @unchecked Sendable {
  private static let interval = DispatchTimeInterval.seconds(1)
  /// After so many looks unchanged files are used again, where that is asked for.
  private static let looksBeforeRenewal = 12 * 3600

  private let paths: [String]
  private let queue = DispatchQueue(label: "bert-server.files")
  /// As they were when they were last used, and when they were last looked at.
  private var used: [FileStamp?]
  private var seen: [FileStamp?]
  private var looks = 0
  private var isRenewing = false
  private var action: (@Sendable () -> Void)?

  /// Make it before the files are read: a change from then on is noticed.
  init(_ paths: [String]) {
    self.paths = paths
    used = paths.map { FileStamp($0) }
    seen = used
  }

  /// Calls `action` after each change, once nothing has changed for a second more: two files that
  /// belong together are not replaced at the same moment.
  ///
  /// - Parameter isRenewing: also every twelve hours without a change.
  func start(isRenewing: Bool = false, _ action: @escaping @Sendable () -> Void) {
    queue.async { [self] in
      self.action = action
      self.isRenewing = isRenewing
    }
    look()
  }

  /// Calls the action now, whether anything has changed or not.
  func renew() {
    queue.async { [self] in
      used = paths.map { FileStamp($0) }
      seen = used
      looks = 0
      action?()
    }
  }

  private func look() {
    queue.asyncAfter(deadline: .now() + Self.interval) { [self] in
      let now = paths.map { FileStamp($0) }
      looks += 1
      if now != used && now == seen || isRenewing && looks == Self.looksBeforeRenewal {
        used = now
        looks = 0
        action?()
      }
      seen = now
      look()
    }
  }
}

/// What tells one state of a file from another.
struct FileStamp: Equatable, Sendable {
  private let device: UInt
  private let inode: UInt
  private let size: Int
  private let seconds: Int
  private let nanoseconds: Int

  /// Nil without a file.
  init?(_ path: String) {
    var information = stat()
    // The pointers are used during the call only.
    guard unsafe stat(path, &information) == 0 else { return nil }
    device = UInt(information.st_dev)
    inode = UInt(information.st_ino)
    size = Int(information.st_size)
    seconds = information.st_mtim.tv_sec
    nanoseconds = information.st_mtim.tv_nsec
  }
}
