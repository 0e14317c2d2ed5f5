public import Checkpoints

/// Why there is no encoder for a model.
public enum BERTError: Error, Equatable, Sendable, CustomStringConvertible {
  case checkpoint(CheckpointError)
  /// The kernel set that was asked for is not built in, or this CPU cannot run it.
  case kernels(name: String, Encoder.Precision, available: [String])
  case outOfMemory(bytes: Int)
  case threads(asked: Int, made: Int)
  /// Weights and workspaces, which come to `needed` bytes, are over the caller's limit.
  case memoryLimit(needed: Int, limit: Int)

  public var description: String {
    switch self {
    case .checkpoint(let error): error.message
    case .kernels(let name, let precision, let available):
      "no kernel set \"\(name)\" for \(precision.rawValue) on this CPU; there is "
        + available.joined(separator: ", ")
    case .outOfMemory(let bytes):
      "the system refuses \(bytes >> 20) MB of memory; lower the largest batch or the threads"
    case .threads(let asked, let made):
      "the system gives \(made) of \(asked) compute threads; lower the threads, or raise its limit of "
        + "threads or of virtual memory"
    case .memoryLimit(let needed, let limit):
      "it needs \(needed >> 20) MiB for weights and batches, and \(limit >> 20) MiB are left of "
        + "the control group's memory limit; raise that, or lower the threads or the precision"
    }
  }
}
