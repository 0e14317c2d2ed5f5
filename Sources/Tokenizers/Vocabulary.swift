/// The tokens of a model by their ids.
///
/// In a `vocab.txt` a token's id is its line, counted from 0. For WordPiece a token that begins
/// with `##` continues a word; any other begins one.
public struct Vocabulary: Sendable {
  /// The most bytes that are read; the largest published BERT vocabularies (500,000 tokens) have
  /// 6 MB.
  public static let byteLimit = 32 << 20

  /// All tokens' UTF-8; of a `vocab.txt` the file as it came.
  private var bytes: [UInt8]
  /// Where the token of each id lies in it; empty where there is none.
  private(set) var places: [Range<Int>]
  /// Ids of tokens that were added to the model's, by their UTF-8.
  private var added: [[UInt8]: Set<Int>] = [:]
  /// Tokens that the model itself knows, without those added to it.
  let trie: TokenTrie
  /// How many those are.
  let modelCount: Int

  /// - Parameter bytes: those of a `vocab.txt`, one token a line, UTF-8, ending in LF or CRLF.
  ///   An empty line takes an id like any other but never stands for text.
  /// - Parameter lastCounts: as in `tokenizers`, white space at a token's end is left out, and of a
  ///   token that stands twice only the last line counts; else, as in TensorFlow, it is an error.
  public init(lines bytes: [UInt8], lastCounts: Bool = false) throws(TokenizerFileError) {
    guard bytes.count <= Self.byteLimit else {
      throw .tooLarge(bytes: bytes.count, limit: Self.byteLimit)
    }
    var lines = Self.lines(of: bytes)
    do {
      _ = try UTF8Span(validating: bytes.span)
    } catch {
      let offset = error.byteOffsets.lowerBound
      throw .invalidUTF8(line: lines.prefix { $0.upperBound < offset }.count + 1)
    }
    if lastCounts {
      for id in lines.indices { lines[id] = Self.trimmed(lines[id], bytes) }
      var ids: [ArraySlice<UInt8>: Int] = [:]
      ids.reserveCapacity(lines.count)
      for (id, line) in lines.enumerated() where !line.isEmpty {
        if let earlier = ids.updateValue(id, forKey: bytes[line]) { lines[earlier] = 0..<0 }
      }
    }
    try self.init(bytes: bytes, places: lines, continuationPrefix: Array("##".utf8))
  }

  /// - Parameters:
  ///   - count: of the tokens, if some ids have none.
  ///   - continuationPrefix: for WordPiece what tokens that continue a word begin with.
  init(
    bytes: [UInt8], places: [Range<Int>], count: Int? = nil, continuationPrefix: [UInt8]? = nil
  ) throws(TokenizerFileError) {
    self.bytes = bytes
    self.places = places
    modelCount = count ?? places.count
    trie = try TokenTrie(
      bytes: bytes, tokens: places, continuationPrefix: continuationPrefix)
  }

  /// How many ids there are: the rows that the model's word embeddings should have.
  public var count: Int { places.count }

  /// Bytes of the longest token, added ones included.
  var longestToken: Int { places.lazy.map(\.count).max() ?? 0 }

  /// The id of a token that the model knows.
  public func id(of token: String) -> Int32? { trie.id(of: token) }

  /// The id of a token of the model, or of one added to it.
  public func addedID(of token: String) -> Int32? {
    id(of: token) ?? added[Array(token.utf8)]?.max().map { Int32($0) }
  }

  /// The token as the file spells it, `##` included; nil if there is none of that id.
  public func token(_ id: Int32) -> String? {
    guard places.indices.contains(Int(id)) else { return nil }
    return String(decoding: bytes[places[Int(id)]], as: UTF8.self)
  }

  /// Gives an id to a token that is added to those of the model. Of an id that has one already the new
  /// spelling counts.
  mutating func add(_ token: [UInt8], id: Int) {
    while places.count <= id { places.append(0..<0) }
    added[Array(bytes[places[id]])]?.remove(id)
    added[token, default: []].insert(id)
    places[id] = bytes.count..<bytes.count + token.count
    bytes += token
  }

  private static func trimmed(_ line: Range<Int>, _ bytes: [UInt8]) -> Range<Int> {
    // Few lines end in white space, which has a last byte of 0x20 or below, or is not ASCII.
    guard let last = line.last, bytes[last] <= 0x20 || bytes[last] >= 0x80 else { return line }
    let text = String(decoding: bytes[line], as: UTF8.self).unicodeScalars
    let end = text.lastIndex { !$0.properties.isWhitespace }.map { text.index(after: $0) }
    return line.lowerBound..<line.lowerBound
      + text[..<(end ?? text.startIndex)].reduce(0) { $0 + UTF8.width($1) }
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
