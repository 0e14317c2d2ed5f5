import Foundation

/// The process's environment.
enum Environment {
  static var all: [String: String] { ProcessInfo.processInfo.environment }

  static func value(_ name: String) -> String? { all[name] }
}

/// Says why a command cannot go on.
func printError(_ message: String) {
  FileHandle.standardError.write(Data("bert-server: \(message)\n".utf8))
}
