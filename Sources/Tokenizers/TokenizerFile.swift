import JSON
import UntrustedInput

/// A `tokenizer.json` as Hugging Face's `tokenizers` writes it, read piece by piece: what each of
/// its steps is, or why it is refused.
struct TokenizerFile {
  /// The largest published tokenizers (500,000 tokens) have some 20 MB.
  static let byteLimit = 64 << 20
  static let limits = {
    var limits = JSONParser.Limits()
    limits.valueCount = 4 << 20
    return limits
  }()

  let bytes: [UInt8]
  /// Where the members of the file lie.
  private(set) var members: [String: Range<Int>] = [:]
  /// Where the members of `model` lie.
  private(set) var modelMembers: [String: Range<Int>] = [:]

  init(_ bytes: [UInt8]) throws(TokenizerFileError) {
    guard bytes.count <= Self.byteLimit else {
      throw .tooLarge(bytes: bytes.count, limit: Self.byteLimit)
    }
    self.bytes = bytes
    members = try Self.members(bytes, bytes.indices)
    guard let model = members["model"] else {
      throw .invalid(place: "model", reason: "is missing")
    }
    modelMembers = try Self.members(bytes, model)
  }

  private static func members(
    _ bytes: [UInt8], _ range: Range<Int>
  ) throws(TokenizerFileError) -> [String: Range<Int>] {
    var members: [String: Range<Int>] = [:]
    try catching {
      try JSONParser.forEachMember(bytes.span, at: range, limits: limits) { name, value in
        members[name] = value
      }
    }
    return members
  }

  /// A member of the file, read whole; null if missing.
  func member(_ name: String) throws(TokenizerFileError) -> TokenizerFileValue {
    try value(name, members[name])
  }

  /// A member of `model`, read whole; null if missing.
  func modelMember(_ name: String) throws(TokenizerFileError) -> TokenizerFileValue {
    try value("model.\(name)", modelMembers[name])
  }

  private func value(
    _ place: String, _ range: Range<Int>?
  ) throws(TokenizerFileError) -> TokenizerFileValue {
    guard let range else { return TokenizerFileValue(place: place, value: .null) }
    do {
      let value = try JSONParser.parse(bytes.span, at: range, limits: Self.limits)
      return TokenizerFileValue(place: place, value: value)
    } catch {
      throw .json(error)
    }
  }

  /// The number that is the second of two elements, read as `tokenizers` reads it.
  func score(_ pair: Range<Int>) throws(TokenizerFileError) -> Double {
    var last = pair
    try Self.catching {
      try JSONParser.forEachElement(bytes.span, at: pair, limits: Self.limits) { last = $0 }
    }
    let text = bytes[last].filter { !" \t\r\n".utf8.contains($0) }
    guard let score = UnigramScore.value(text) else {
      throw .invalid(place: "model.vocab", reason: "must have finite numbers as scores")
    }
    return score
  }

  /// A list of `model`, element by element and where it stands: `model.vocab` of Unigram, `model.merges`.
  func forEachModelElement(
    _ name: String, _ body: (TokenizerFileValue, Range<Int>) throws -> Void
  ) throws(TokenizerFileError) {
    guard let range = modelMembers[name] else {
      throw .invalid(place: "model.\(name)", reason: "is missing")
    }
    var index = 0
    try Self.catching {
      try JSONParser.forEachElement(bytes.span, at: range, limits: Self.limits) { element in
        try body(try value("model.\(name)[\(index)]", element), element)
        index += 1
      }
    }
  }

  /// The tokens of `model.vocab` where that is an object from token to id, by id.
  func vocabulary(
    continuationPrefix: [UInt8]? = nil
  ) throws(TokenizerFileError) -> Vocabulary {
    guard let range = modelMembers["vocab"] else {
      throw .invalid(place: "model.vocab", reason: "is missing")
    }
    var text: [UInt8] = []
    var tokens: [(id: Int, place: Range<Int>)] = []
    try Self.catching {
      try JSONParser.forEachMember(bytes.span, at: range, limits: Self.limits) { name, value in
        let place = text.count..<text.count + name.utf8.count
        let id = try self.value("model.vocab of \"\(name.prefix(64))\"", value)
        tokens.append((try id.integer(in: 0...1 << 24), place))
        text += name.utf8
      }
    }
    var places = [Range<Int>](
      repeating: 0..<0, count: try Self.idCount(tokens.lazy.map(\.id), tokens.count))
    var isTaken = [Bool](repeating: false, count: places.count)
    for token in tokens {
      guard !isTaken[token.id] else {
        throw .invalid(place: "model.vocab", reason: "gives the id \(token.id) to two tokens")
      }
      isTaken[token.id] = true
      places[token.id] = token.place
    }
    return try Vocabulary(
      bytes: text, places: places, count: tokens.count, continuationPrefix: continuationPrefix)
  }

  /// One more than the highest id, which must not be far above the number of tokens.
  private static func idCount(
    _ ids: some Sequence<Int>, _ count: Int
  ) throws(TokenizerFileError) -> Int {
    let highest = ids.max() ?? -1
    guard highest < 2 * count + 1024 else {
      throw .invalid(
        place: "model.vocab", reason: "has an id \(highest) and only \(count) tokens")
    }
    return highest + 1
  }

  /// Gives the errors of closures their types back.
  private static func catching(_ body: () throws -> Void) throws(TokenizerFileError) {
    do {
      try body()
    } catch let error as TokenizerFileError {
      throw error
    } catch let error as JSONError {
      throw .json(error)
    } catch {
      throw .invalid(place: "the file", reason: "cannot be read: \(error)")
    }
  }
}

/// A value of a `tokenizer.json` and its place in it, for messages.
struct TokenizerFileValue {
  let place: String
  let value: JSONValue

  var isNull: Bool { value == .null }

  func invalid(_ reason: String) -> TokenizerFileError {
    .invalid(place: place, reason: "\(reason), is \(value.kind)")
  }

  /// A member; null if missing.
  subscript(key: String) -> TokenizerFileValue {
    TokenizerFileValue(place: "\(place).\(key)", value: value[key] ?? .null)
  }

  func elements() throws(TokenizerFileError) -> [TokenizerFileValue] {
    guard case .array(let values) = value else { throw invalid("must be a list") }
    return values.enumerated().map {
      TokenizerFileValue(place: "\(place)[\($0.offset)]", value: $0.element)
    }
  }

  func string() throws(TokenizerFileError) -> String {
    guard case .string(let text) = value else { throw invalid("must be a string") }
    return text
  }

  func string(or fallback: String) throws(TokenizerFileError) -> String {
    isNull ? fallback : try string()
  }

  /// A string that is one of few.
  func name<Name: RawRepresentable<String>>(
    _ type: Name.Type, or fallback: Name? = nil
  ) throws(TokenizerFileError) -> Name {
    if isNull, let fallback { return fallback }
    let text = try string()
    guard let name = Name(rawValue: text) else {
      throw .unsupported(place: place, what: "\"\(text.prefix(64))\"")
    }
    return name
  }

  /// The one scalar of a string.
  func scalar() throws(TokenizerFileError) -> UInt32 {
    let scalars = try string().unicodeScalars
    guard let scalar = scalars.first, scalars.count == 1 else {
      throw .invalid(place: place, reason: "must be one character")
    }
    return scalar.value
  }

  /// A text that may be put in at every place of another.
  func scalars() throws(TokenizerFileError) -> [UInt32] {
    let text = try string()
    guard text.utf8.count <= 1024 else {
      throw .invalid(place: place, reason: "must have at most 1024 bytes")
    }
    return text.unicodeScalars.map(\.value)
  }

  func boolean(or fallback: Bool? = nil) throws(TokenizerFileError) -> Bool {
    if isNull, let fallback { return fallback }
    guard case .boolean(let value) = value else { throw invalid("must be true or false") }
    return value
  }

  func integer(in range: ClosedRange<Int>) throws(TokenizerFileError) -> Int {
    guard case .integer(let value) = value, let number = value.within(range) else {
      throw invalid("must be an integer from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func integer(in range: ClosedRange<Int>, or fallback: Int) throws(TokenizerFileError) -> Int {
    isNull ? fallback : try integer(in: range)
  }

  /// A finite number.
  func number() throws(TokenizerFileError) -> Double {
    switch value {
    case .integer(let value): return Double(value)
    case .double(let value): return value
    default: throw invalid("must be a finite number")
    }
  }

  /// The `type` of a step.
  func type() throws(TokenizerFileError) -> String { try self["type"].string() }

  func unsupported(_ what: String) -> TokenizerFileError { .unsupported(place: place, what: what) }
}
