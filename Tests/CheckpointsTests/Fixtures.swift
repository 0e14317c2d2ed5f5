import FoundationEssentials

/// The small models in Fixtures, each made by the framework that its format is of.
enum Fixtures {
  static let path: String = {
    "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/Fixtures"
  }()

  static func folder(_ name: String) -> String { "\(path)/\(name)" }

  /// Copies a fixture to where it may be broken.
  static func copy(_ name: String, isInMemory: Bool = false) throws -> TemporaryFolder {
    let folder = try TemporaryFolder(isInMemory: isInMemory)
    for (name, bytes) in try files(name) { try folder.write(bytes, to: name) }
    return folder
  }

  /// The files of a fixture by their path in its folder.
  static func files(_ name: String) throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for file in try FileManager.default.subpathsOfDirectory(atPath: folder(name)) {
      let url = URL(filePath: "\(folder(name))/\(file)")
      if let content = try? Data(contentsOf: url) { files[file] = Array(content) }
    }
    return files
  }
}
