import FoundationEssentials
import Models
import Service
import Settings

/// Where API keys come from: a file, which is read again when it changes, and the environment.
/// Nothing here shows a key.
struct KeySources {
  private let path: String
  private let fixed: APIKeys?
  private let watcher: FileWatcher

  /// Nil if no keys are asked for.
  /// - Throws: `LoadingError` if the environment's are no keys.
  init?(_ settings: Settings, environment: [String: String]) throws {
    path = settings.apiKeyFile
    let list = environment[Settings.keysVariable] ?? ""
    if path.isEmpty, list.isEmpty { return nil }
    do {
      fixed = list.isEmpty ? nil : try APIKeys(list: list)
    } catch {
      throw LoadingError("\(Settings.keysVariable) cannot be used: \(error)")
    }
    watcher = FileWatcher(path.isEmpty ? [] : [path])
  }

  func load() throws -> APIKeys {
    if path.isEmpty, let fixed { return fixed }
    guard let bytes = FileManager.default.contents(atPath: path) else {
      throw LoadingError("the file of API keys \(path) cannot be read")
    }
    do {
      let keys = try APIKeys(file: Array(bytes))
      return fixed.map { keys + $0 } ?? keys
    } catch {
      throw LoadingError("the file of API keys \(path) cannot be used: \(error)")
    }
  }

  /// Reads the file again, changed or not.
  func renew() { watcher.renew() }

  /// From now on requests are held to what the file has by then.
  func watch(_ service: Service, _ log: Log) {
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
