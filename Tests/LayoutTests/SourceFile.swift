import Foundation

/// A text file of the package.
struct SourceFile {
  /// From the package's root: `Sources/HTTP/Connection.swift`.
  var path: String
  var text: String

  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// Every file below a folder with one of the extensions; what the tools made is left out.
  static func all(below folder: String, extensions: Set<String>) throws -> [SourceFile] {
    let paths = try FileManager.default.subpathsOfDirectory(
      atPath: root.appending(path: folder).path)
    return try paths.sorted().compactMap { path in
      let url = URL(filePath: path)
      let isMade = url.pathComponents.contains { $0 == "__pycache__" || $0.hasPrefix(".") }
      guard extensions.contains(url.pathExtension), !isMade else { return nil }
      return try SourceFile(at: folder + "/" + path)
    }
  }

  /// Every file that git knows; none without git.
  static let committedPaths: [String] = {
    let git = Process()
    let output = Pipe()
    git.executableURL = URL(filePath: "/usr/bin/env")
    git.arguments = ["git", "-C", root.path, "ls-files"]
    git.standardOutput = output
    git.standardError = FileHandle.nullDevice
    guard (try? git.run()) != nil else { return [] }
    let listed = output.fileHandleForReading.readDataToEndOfFile()
    git.waitUntilExit()
    return String(decoding: listed, as: UTF8.self).split(separator: "\n").map { String($0) }
  }()

  init(at path: String) throws {
    self.init(
      path, try String(contentsOf: Self.root.appending(path: path), encoding: .utf8))
  }

  init(_ path: String, _ text: String) {
    self.path = path
    self.text = text
  }

  var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

  /// The folder below `Sources`.
  var module: String { path.split(separator: "/").dropFirst().first.map { String($0) } ?? "" }

  /// Of a file in one of the protocols' folders.
  var protocolName: String? {
    let parts = path.split(separator: "/").map { String($0) }
    guard parts.count > 3, module == "Protocols", LayoutRules.protocols.contains(parts[2]) else {
      return nil
    }
    return parts[2]
  }

  /// The lines without their comments.
  var code: [Substring] {
    lines.map { line in line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line }
  }

  /// The modules that it imports, whatever stands before the word.
  var imports: [String] {
    code.compactMap { line in
      let words = line.split(separator: " ")
      guard let position = words.firstIndex(of: "import"), position + 1 < words.count,
        words[..<position].allSatisfy(Self.mayPrecedeImport)
      else { return nil }
      let kinds: Set<Substring> = [
        "actor", "class", "enum", "func", "let", "protocol", "struct", "typealias", "var",
      ]
      let name = words[(position + 1)...].first { !kinds.contains($0) }
      return name?.split(separator: ".").first.map { String($0) }
    }
  }

  private static func mayPrecedeImport(_ word: Substring) -> Bool {
    word.hasPrefix("@")
      || ["public", "package", "internal", "fileprivate", "private"].contains(word)
  }
}
