/// The case of the texts that a vocabulary was made of, for folders that do not say it.
enum VocabularyCase {
  /// Whether the vocabulary is one of lower-cased text: such a one has no capitals, but in special
  /// tokens and perhaps in a few symbols. Of cased ones of Korean and Japanese one token in 30 has one.
  static func isLower(_ path: String) throws(CheckpointError) -> Bool {
    let file = try ModelFile(path: path).bytes()
    guard let text = file.string(file.range) else {
      throw .file(path: file.path, reason: "is not UTF-8")
    }
    var lines = 0
    var withCapitals = 0
    for line in text.unicodeScalars.split(separator: "\n") where !["[", "<"].contains(line.first) {
      lines += 1
      if line.contains(where: {
        $0.properties.isUppercase || $0.properties.generalCategory == .titlecaseLetter
      }) {
        withCapitals += 1
      }
    }
    return withCapitals <= lines / 200
  }
}
