import FoundationEssentials
public import Serving
public import Settings

/// Where API keys come from: a file, which is read again when it changes, and the environment.
/// Nothing here shows a key.
public struct KeySources: Sendable {
  private let path: String
  private let fixed: APIKeys?
  private let watcher: FileWatcher

  /// Nil if no keys are asked for.
  /// - Throws: if the environment's are no keys.
  public init?(_ settings: Settings, environment: [String: String]) throws(KeySourceError) {
    path = settings.apiKeyFile
    let list = environment[Settings.keysVariable] ?? ""
    if path.isEmpty, list.isEmpty { return nil }
    do {
      fixed = list.isEmpty ? nil : try APIKeys(list: list)
    } catch {
      throw .environment(error)
    }
    watcher = FileWatcher(path.isEmpty ? [] : [path])
  }

  public func load() throws(KeySourceError) -> APIKeys {
    if path.isEmpty, let fixed { return fixed }
    guard let bytes = FileManager.default.contents(atPath: path) else {
      throw .unreadable(path: path)
    }
    do {
      let keys = try APIKeys(file: Array(bytes))
      return fixed.map { keys + $0 } ?? keys
    } catch {
      throw .file(path: path, error)
    }
  }

  /// Reads the file again, changed or not.
  public func renew() { watcher.renew() }

  /// From now on requests are held to what the file has by then.
  public func watch(_ service: Service, _ log: Log) {
    if path.isEmpty { return }
    watcher.start {
      do {
        service.renew(try load())
        log.info("API keys: reloaded")
      } catch {
        log.warning("API keys: reload failed, still using the previous keys: \(error)")
      }
    }
  }
}

/// Why API keys cannot be had; no case holds one.
public enum KeySourceError: Error, CustomStringConvertible {
  case environment(APIKeysError)
  case unreadable(path: String)
  case file(path: String, APIKeysError)

  public var description: String {
    switch self {
    case .environment(let error): "\(Settings.keysVariable) cannot be used: \(error)"
    case .unreadable(let path): "the file of API keys \(path) cannot be read"
    case .file(let path, let error): "the file of API keys \(path) cannot be used: \(error)"
    }
  }
}
