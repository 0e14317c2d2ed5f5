/// Every token of a vocabulary in one double-array trie (Aoe 1989), walked byte by byte: one
/// load and one comparison a step.
///
/// It has two roots: all tokens hang below the first, and those that continue a word (`##…`) once
/// more below the second, without the `##`.
struct TokenTrie: Sendable {
  /// A state's number. The child by byte b is state `base ^ b`, if that names this one as parent.
  typealias State = Int
  /// The most bytes of a token: looking for the longest one at each byte of a text takes so many
  /// steps. Real ones have some 200.
  static let longest = 1024
  static let wordStart: State = 0
  static let continuation: State = 1

  struct Node {
    var base: UInt32
    var parent: UInt32
    /// No parent: a root, or an unused state.
    static let unused = Node(base: 0, parent: .max)
  }

  /// By state. A multiple of 256, so that `base ^ byte` is always within.
  private(set) var nodes: [Node] = []
  /// The token that ends at each state, or -1.
  private(set) var ids: [Int32] = []

  /// - Parameters:
  ///   - bytes: valid UTF-8.
  ///   - tokens: where each token lies in it; its index is its id. Empty ones are left out.
  ///   - continuationPrefix: what tokens that continue a word begin with; nil if words are not cut
  ///     that way.
  init(
    bytes: [UInt8], tokens: [Range<Int>], continuationPrefix: [UInt8]? = nil
  ) throws(TokenizerFileError) {
    var builder = TokenTrieBuilder(bytes: bytes)
    try builder.insert(tokens, continuationPrefix)
    nodes = builder.nodes
    ids = builder.ids
  }

  /// The longest token that `bytes` begins with at `start`, and the byte after it.
  func longestToken(
    in bytes: borrowing Span<UInt8>, from start: Int, below root: State = wordStart
  ) -> (id: Int32, end: Int)? {
    var longest: (id: Int32, end: Int)?
    var state = root
    for index in start..<bytes.count {
      let next = Int(nodes[state].base) ^ Int(bytes[index])
      guard nodes[next].parent == state else { break }
      state = next
      if ids[state] >= 0 { longest = (ids[state], index + 1) }
    }
    return longest
  }

  /// Calls `body` with each token that `bytes` begins with at `start`, the shortest first, and
  /// the byte after it.
  func forEachToken(
    in bytes: borrowing Span<UInt8>, from start: Int, _ body: (Int32, Int) -> Void
  ) {
    var state = Self.wordStart
    for index in start..<bytes.count {
      let next = Int(nodes[state].base) ^ Int(bytes[index])
      guard nodes[next].parent == state else { break }
      state = next
      if ids[state] >= 0 { body(ids[state], index + 1) }
    }
  }

  func id(of token: String) -> Int32? {
    var state = Self.wordStart
    for byte in token.utf8 {
      let next = Int(nodes[state].base) ^ Int(byte)
      guard nodes[next].parent == state else { return nil }
      state = next
    }
    return ids[state] >= 0 ? ids[state] : nil
  }
}
