/// Lays the states of a `TokenTrie` out, depth first over the sorted tokens.
///
/// Complexity: O(n log n) comparisons for n tokens, and O(1) expected per state.
struct TokenTrieBuilder {
  private(set) var nodes: [TokenTrie.Node] = []
  private(set) var ids: [Int32] = []

  private let bytes: [UInt8]
  /// Unused states are a ring through state 0, so that the first one is found at once.
  private var nextFree: [Int32] = []
  private var previousFree: [Int32] = []

  /// How many unused states are tried for a set of children before 256 new states are added: a
  /// handful keeps the build fast and 9 in 10 states used.
  private static let tries = 16

  private struct Key {
    /// The first eight bytes, most significant first: most comparisons need no more.
    var prefix: UInt64
    var id: Int32
    var start: Int32
    var end: Int32
  }

  /// A state whose children are to be placed: those of the sorted tokens `keys`, `depth` bytes in.
  private struct Branch {
    var state: Int
    var keys: Range<Int>
    var depth: Int
  }

  init(bytes: [UInt8]) {
    self.bytes = bytes
    addBlock()
    take(TokenTrie.continuation, parent: .max)
  }

  mutating func insert(
    _ tokens: [Range<Int>], _ continuationPrefix: [UInt8]?
  ) throws(TokenizerFileError) {
    var keys: [Key] = []
    var continuations: [Key] = []
    keys.reserveCapacity(tokens.count)
    for (id, token) in tokens.enumerated() where !token.isEmpty {
      guard token.count <= TokenTrie.longest else {
        throw .tokenTooLong(
          beginning: String(decoding: bytes[token.prefix(32)], as: UTF8.self),
          bytes: token.count, limit: TokenTrie.longest)
      }
      keys.append(key(token, id: id))
      guard let prefix = continuationPrefix, token.count > prefix.count,
        bytes[token].starts(with: prefix)
      else { continue }
      continuations.append(key(token.dropFirst(prefix.count), id: id))
    }
    try insert(&keys, below: TokenTrie.wordStart)
    try insert(&continuations, below: TokenTrie.continuation)
  }

  private func key(_ range: Range<Int>, id: Int) -> Key {
    var prefix: UInt64 = 0
    for offset in 0..<8 {
      let index = range.lowerBound + offset
      prefix = prefix << 8 | (index < range.upperBound ? UInt64(bytes[index]) : 0)
    }
    return Key(
      prefix: prefix, id: Int32(id), start: Int32(range.lowerBound), end: Int32(range.upperBound))
  }

  private mutating func insert(_ keys: inout [Key], below root: Int) throws(TokenizerFileError) {
    guard !keys.isEmpty else { return }
    let bytes = bytes
    keys.sort { first, second in
      if first.prefix != second.prefix { return first.prefix < second.prefix }
      let one = bytes[Int(first.start)..<Int(first.end)]
      let other = bytes[Int(second.start)..<Int(second.end)]
      return one.lexicographicallyPrecedes(other)
    }
    var branches = [Branch(state: root, keys: keys.indices, depth: 0)]
    var children: [(byte: UInt8, keys: Range<Int>)] = []
    while var branch = branches.popLast() {
      try endTokens(at: &branch, keys)
      guard !branch.keys.isEmpty else { continue }
      children.removeAll(keepingCapacity: true)
      for index in branch.keys {
        let byte = bytes[Int(keys[index].start) + branch.depth]
        if let last = children.indices.last, children[last].byte == byte {
          children[last].keys = children[last].keys.lowerBound..<index + 1
        } else {
          children.append((byte, index..<index + 1))
        }
      }
      let base = base(for: children)
      nodes[branch.state].base = UInt32(base)
      for child in children {
        let state = base ^ Int(child.byte)
        take(state, parent: UInt32(branch.state))
        branches.append(Branch(state: state, keys: child.keys, depth: branch.depth + 1))
      }
    }
  }

  /// The token that is no longer than the branch is deep ends here: it is the first of its keys.
  private mutating func endTokens(
    at branch: inout Branch, _ keys: [Key]
  ) throws(TokenizerFileError) {
    let first = keys[branch.keys.lowerBound]
    guard Int(first.end - first.start) == branch.depth else { return }
    branch.keys = branch.keys.dropFirst()
    ids[branch.state] = first.id
    guard let next = branch.keys.first, Int(keys[next].end - keys[next].start) == branch.depth
    else { return }
    let (id, other) = (Int(first.id), Int(keys[next].id))
    throw .duplicate(
      token: String(decoding: bytes[Int(first.start)..<Int(first.end)], as: UTF8.self),
      id: max(id, other), firstID: min(id, other))
  }

  /// A base whose states for these bytes are all unused.
  private mutating func base(for children: [(byte: UInt8, keys: Range<Int>)]) -> Int {
    var state = Int(nextFree[0])
    for _ in 0..<Self.tries where state != 0 {
      let base = state ^ Int(children[0].byte)
      if children.allSatisfy({ isFree(base ^ Int($0.byte)) }) { return base }
      state = Int(nextFree[state])
    }
    if state != 0 { moveRingStart(before: state) }
    let base = nodes.count
    addBlock()
    return base
  }

  /// What was tried is last from now on: states that nothing fits at would else make every set of
  /// children take 256 new ones.
  private mutating func moveRingStart(before state: Int) {
    nextFree[Int(previousFree[0])] = nextFree[0]
    previousFree[Int(nextFree[0])] = previousFree[0]
    nextFree[Int(previousFree[state])] = 0
    previousFree[0] = previousFree[state]
    nextFree[0] = Int32(state)
    previousFree[state] = 0
  }

  private func isFree(_ state: Int) -> Bool {
    state != 0 && nextFree[state] >= 0
  }

  private mutating func addBlock() {
    let first = nodes.count
    nodes.append(contentsOf: repeatElement(.unused, count: 256))
    ids.append(contentsOf: repeatElement(-1, count: 256))
    nextFree.append(contentsOf: repeatElement(0, count: 256))
    previousFree.append(contentsOf: repeatElement(0, count: 256))
    for state in max(first, 1)..<first + 256 {
      let last = previousFree[0]
      nextFree[Int(last)] = Int32(state)
      previousFree[state] = last
      previousFree[0] = Int32(state)
    }
  }

  private mutating func take(_ state: Int, parent: UInt32) {
    nodes[state].parent = parent
    nextFree[Int(previousFree[state])] = nextFree[state]
    previousFree[Int(nextFree[state])] = previousFree[state]
    nextFree[state] = -1
  }
}
