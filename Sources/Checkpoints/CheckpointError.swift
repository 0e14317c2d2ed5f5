/// Why a model folder was refused. Each message names the file and says what to change.
public enum CheckpointError: Error, Equatable, Sendable {
  /// A file cannot be used at all: missing, a directory, unreadable, empty.
  case file(path: String, reason: String)
  /// A file's bytes break its format's rules. The offset is in bytes from the start of the file;
  /// the tensor is the one being read, if it was known by then.
  case malformed(path: String, tensor: String?, offset: Int, reason: String)
  /// A key of a JSON file is missing or has a value that cannot be right.
  case invalidValue(path: String, key: String, reason: String)
  /// Well formed, but something that this server does not compute.
  case unsupported(path: String, reason: String)
  /// The weights are not those that the configuration asks for. Every wrong tensor is named.
  case tensors(path: String, missing: [String], unusable: [String], unexpected: [String])

  public var message: String {
    switch self {
    case .file(let path, let reason):
      return "\(path): \(reason)"
    case .malformed(let path, let tensor, let offset, let reason):
      let name = tensor.map { "tensor \"\($0)\", " } ?? ""
      return "\(path): \(name)byte \(offset): \(reason)"
    case .invalidValue(let path, let key, let reason):
      return "\(path): \"\(key)\" \(reason)"
    case .unsupported(let path, let reason):
      return "\(path): \(reason)"
    case .tensors(let path, let missing, let unusable, let unexpected):
      let lists = [
        ("missing", missing), ("unusable", unusable), ("not of this model", unexpected),
      ]
      let parts = lists.filter { !$0.1.isEmpty }
        .map { "\($0.0): \($0.1.joined(separator: ", "))" }
      return "\(path): the tensors do not fit the configuration, and both must be of one model; "
        + parts.joined(separator: "; ")
    }
  }
}

extension CheckpointError: CustomStringConvertible {
  public var description: String { message }
}
