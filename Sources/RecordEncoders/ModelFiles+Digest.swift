import Bulk
import Checkpoints
import Models

extension ModelFiles {
  /// The SHA-256 of what answers depend on: the files of weights, and those that say how to use them.
  func digest() throws(BulkError) -> String {
    let digest = try Digest()
    for name in checkpoint.files.sorted() { try digest.add(fileAt: name, in: checkpoint.folder) }
    let endings = [".json", ".txt", ".model"]
    for name in namesInFolder(path) ?? [] {
      // Sentence-transformers' modules have a folder each, with weights of their own; the rest have none.
      let inner = (namesInFolder("\(path)/\(name)") ?? [])
        .filter { inner in (endings + [".safetensors", ".bin"]).contains { inner.hasSuffix($0) } }
      for inner in inner { try digest.add(fileAt: "\(name)/\(inner)", in: path) }
      guard endings.contains(where: { name.hasSuffix($0) }) else { continue }
      try digest.add(fileAt: name, in: path)
    }
    return try digest.hexadecimal()
  }
}
