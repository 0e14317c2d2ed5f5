/// The tokens of a BERT model: a token's id is its line in `vocab.txt`, counted from 0.
///
/// A token that begins with `##` continues a word; any other begins one.
public struct Vocabulary: Sendable {
  /// The most bytes that are read; the largest published BERT vocabularies (500,000 tokens) have
  /// 6 MB.
  public static let byteLimit = 32 << 20

  /// The file as it came.
  private let bytes: [UInt8]
  /// Where each line lies in it, without its end-of-line characters.
  private let lines: [Range<Int>]
  let trie: TokenTrie

  /// Ids of the tokens that frame and fill every input.
  public let padding: Int32
  public let unknown: Int32
  public let classification: Int32
  public let separator: Int32
  /// `[MASK]`, if the vocabulary has it: only text that names it needs it.
  public let mask: Int32?

  /// - Parameter lines: the bytes of a `vocab.txt`, one token a line, UTF-8, ending in LF or CRLF.
  ///   An empty line takes an id like any other but never stands for text.
  public init(lines bytes: [UInt8]) throws(VocabularyError) {
    guard bytes.count <= Self.byteLimit else {
      throw .tooLarge(bytes: bytes.count, limit: Self.byteLimit)
    }
    let lines = Self.lines(of: bytes)
    do {
      _ = try UTF8Span(validating: bytes.span)
    } catch {
      let offset = error.byteOffsets.lowerBound
      throw .invalidUTF8(line: lines.prefix { $0.upperBound < offset }.count + 1)
    }
    let trie = try TokenTrie(bytes: bytes, tokens: lines)
    func required(_ token: String) throws(VocabularyError) -> Int32 {
      guard let id = trie.id(of: token) else { throw .missing(token: token) }
      return id
    }
    padding = try required("[PAD]")
    unknown = try required("[UNK]")
    classification = try required("[CLS]")
    separator = try required("[SEP]")
    mask = trie.id(of: "[MASK]")
    self.bytes = bytes
    self.lines = lines
    self.trie = trie
  }

  /// How many ids there are: the rows that the model's word embeddings should have.
  public var count: Int { lines.count }

  public func id(of token: String) -> Int32? { trie.id(of: token) }

  /// The token as the file spells it, `##` included; nil if no line has that id.
  public func token(_ id: Int32) -> String? {
    guard lines.indices.contains(Int(id)) else { return nil }
    return String(decoding: bytes[lines[Int(id)]], as: UTF8.self)
  }

  private static func lines(of bytes: [UInt8]) -> [Range<Int>] {
    var lines: [Range<Int>] = []
    lines.reserveCapacity(bytes.count / 7)
    var start = 0
    func line(endingAt end: Int) -> Range<Int> {
      start..<(end > start && bytes[end - 1] == UInt8(ascii: "\r") ? end - 1 : end)
    }
    for index in bytes.indices where bytes[index] == UInt8(ascii: "\n") {
      lines.append(line(endingAt: index))
      start = index + 1
    }
    if start < bytes.count { lines.append(line(endingAt: bytes.count)) }
    return lines
  }
}
