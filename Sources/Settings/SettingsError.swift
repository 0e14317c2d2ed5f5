/// Where a value came from.
public enum SettingSource: Hashable, Sendable, CustomStringConvertible {
  case `default`(key: String)
  case file(path: String, key: String)
  case environment(variable: String)
  case flag(String)

  public var description: String {
    switch self {
    case .default(let key): "the default of \(key)"
    case .file(let path, let key): "\"\(key)\" in \(path)"
    case .environment(let variable): "environment variable \(variable)"
    case .flag(let flag): "flag \(flag)"
    }
  }
}

/// Why the server does not start.
public enum SettingsError: Error, Equatable, Sendable {
  /// There is no such setting. `nearest`: the name that may have been meant.
  case unknown(SettingSource, nearest: String?)
  /// `values`: what is possible.
  case impossible(SettingSource, value: String, values: String)
  /// Several values of a setting that has one.
  case repeated(SettingSource, values: [String])
  /// Each is possible, both together are not.
  case conflict(SettingSource, SettingSource, reason: String)
  /// There is no such file, or it may not be read.
  case unreadable(path: String)
  /// The file is no JSON object.
  case malformed(path: String, reason: String)
}

extension SettingsError: CustomStringConvertible {
  /// Which setting, where it came from and what to change.
  public var description: String {
    switch self {
    case .unknown(let source, let nearest?):
      "\(source) is no setting; did you mean \(nearest)?"
    case .unknown(let source, nil):
      "\(source) is no setting: remove it; config/SETTINGS.md lists all"
    case .impossible(let source, let value, let values):
      "\(source) cannot be \(value): it must be \(values)"
    case .repeated(let source, let values):
      "\(source) is given \(values.count) times (\(values.joined(separator: ", "))): keep one"
    case .conflict(let first, let second, let reason):
      "\(first) and \(second) do not go together: \(reason)"
    case .unreadable(let path): "the settings file \(path) cannot be read"
    case .malformed(let path, let reason):
      "\(path) cannot be read as settings: \(reason)"
    }
  }
}
