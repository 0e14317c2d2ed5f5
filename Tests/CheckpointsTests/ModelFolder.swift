import FoundationEssentials

/// Where `make model` puts the default model.
enum ModelFolder {
  static let path: String = {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return "/\(root)/models/all-MiniLM-L6-v2"
  }()

  static var isPresent: Bool {
    FileManager.default.fileExists(atPath: path + "/model.safetensors")
  }
}
