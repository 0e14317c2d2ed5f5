import JSON
import UntrustedInput

extension Tokenizer {
  /// The tokenizer of a folder that has RoBERTa's `vocab.json` and `merges.txt` and no
  /// `tokenizer.json`: as transformers' `RobertaTokenizer` makes it.
  ///
  /// - Parameters:
  ///   - vocabulary: the bytes of `vocab.json`, an object from token to id.
  ///   - merges: the bytes of `merges.txt`, two tokens a line, after a line that names a version.
  ///   - specialTokens: the tokens that frame a text, mask and pad it.
  ///   - addsPrefixSpace: whether the first word is as one after a space.
  ///   - lowercases: whether text is lower-cased first.
  public init(
    bytePairVocabulary vocabulary: [UInt8], merges: [UInt8], specialTokens: SpecialTokens,
    addsPrefixSpace: Bool = false, lowercases: Bool = false
  ) throws(TokenizerFileError) {
    guard vocabulary.count <= TokenizerFile.byteLimit, merges.count <= TokenizerFile.byteLimit
    else {
      throw .tooLarge(
        bytes: max(vocabulary.count, merges.count), limit: TokenizerFile.byteLimit)
    }
    var names: [String] = []
    for name in specialTokens.framing + [specialTokens.mask] + specialTokens.others
    where !names.contains(name) {
      names.append(name)
    }
    var ids = [Untrusted<Int64>?](repeating: nil, count: names.count)
    var count: Int64 = 0
    do {
      try JSONParser.forEachMember(
        vocabulary.span, at: vocabulary.indices, limits: TokenizerFile.limits
      ) { name, value in
        count += 1
        guard let index = names.firstIndex(where: { $0.utf8.elementsEqual(name.utf8) }),
          case .integer(let id) = try JSONParser.parse(vocabulary.span, at: value)
        else { return }
        ids[index] = id
      }
    } catch {
      throw .invalid(place: "vocab.json", reason: "cannot be read: \(error)")
    }
    for index in ids.indices where ids[index] == nil {
      // As transformers does, what the vocabulary lacks comes after it.
      ids[index] = Untrusted(count)
      count += 1
    }
    let tokens: [JSONValue] = zip(names, ids).map { name, id in
      [
        "id": .integer(id ?? 0), "content": .string(name), "normalized": false, "special": true,
        "lstrip": .boolean(specialTokens.stripsLeft.contains(name)),
      ]
    }
    func framing(_ name: String) -> JSONValue {
      [.string(name), .integer(names.firstIndex(of: name).flatMap { ids[$0] } ?? 0)]
    }
    let byteLevel: JSONValue = [
      "type": "ByteLevel", "add_prefix_space": .boolean(addsPrefixSpace), "trim_offsets": true,
      "use_regex": true,
    ]
    var writer = JSONWriter()
    writer.value([
      "added_tokens": .array(tokens), "pre_tokenizer": byteLevel, "decoder": byteLevel,
      "post_processor": [
        "type": "RobertaProcessing", "add_prefix_space": .boolean(addsPrefixSpace),
        "trim_offsets": true, "cls": framing(specialTokens.classification),
        "sep": framing(specialTokens.separator),
      ],
    ])
    // The vocabulary stands in the file as it came.
    var bytes = writer.takeBytes()
    bytes.removeLast()
    bytes += Array(",\"model\":{\"type\":\"BPE\",\"vocab\":".utf8) + vocabulary
    bytes += Array(",\"merges\":".utf8)
    var list = JSONWriter()
    list.value(try Self.merges(merges))
    bytes += list.takeBytes() + Array("}}".utf8)
    try self.init(json: bytes, padding: specialTokens.padding, lowercases: lowercases)
  }

  private static func merges(_ bytes: [UInt8]) throws(TokenizerFileError) -> JSONValue {
    var merges: [JSONValue] = []
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
      let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      guard let text = String(validating: line, as: UTF8.self) else {
        throw .invalid(place: "merges.txt", reason: "is not UTF-8 in line \(index + 1)")
      }
      guard !line.isEmpty, !text.utf8.starts(with: "#version".utf8) else { continue }
      merges.append(.string(text))
    }
    return .array(merges)
  }
}
