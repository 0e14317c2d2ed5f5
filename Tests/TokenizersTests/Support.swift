import FoundationEssentials
import Tokenizers

/// Files and models as the tests find them.
enum Support {
  private static let directory = URL(filePath: #filePath).deletingLastPathComponent()

  /// The rows of a file that make_fixtures.py wrote.
  static func fixture<Row: Decodable>(_ name: String) throws -> [Row] {
    let file = directory.appending(path: "Fixtures/\(name).json")
    return try JSONDecoder().decode([Row].self, from: Data(contentsOf: file))
  }

  /// The bytes of the default model's vocab.txt, which `make` fetches.
  static let vocabularyBytes: [UInt8] = {
    let root = directory.deletingLastPathComponent().deletingLastPathComponent()
    let file = root.appending(path: "models/all-MiniLM-L6-v2/vocab.txt")
    guard let data = try? Data(contentsOf: file) else {
      fatalError("the tests need \(file.path()): fetch the default model first")
    }
    return [UInt8](data)
  }()

  static let vocabulary = Result { try Vocabulary(lines: vocabularyBytes) }

  /// Options as the fixtures write them: lower-case, strip accents, CJK, clean text.
  static func tokenizer(_ letters: String = "1n11") throws -> Tokenizer {
    let letters = Array(letters)
    return try Tokenizer(
      vocabulary: try vocabulary.get(),
      options: BERTOptions(
        lowercase: letters[0] == "1", stripAccents: letters[1] == "n" ? nil : letters[1] == "1",
        spacesAroundCJK: letters[2] == "1", cleanText: letters[3] == "1"))
  }
}
