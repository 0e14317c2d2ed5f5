import JSON
import Serving
import Tokenizers
import UntrustedInput

/// The texts of a request to `/encode`, and the parameters that stand beside them in its object.
struct EncodeBody {
  typealias Text = TokenizerInput

  var texts: [Text]
  var parameters: GivenParameters
  /// A bert-as-service client's, to be answered with.
  var id: JSONValue?

  /// - Throws: `invalid` with the offset or the line of what does not parse.
  init(
    _ bytes: [UInt8], _ type: ContentType, limits: BodyLimits
  ) throws(ServiceError) {
    switch type {
    case .text: self.init(texts: [.single(try Self.text(bytes))])
    case .json: try self.init(json: try Self.value(bytes, limits), limits)
    case .ndjson: self.init(texts: try Self.lines(bytes, limits))
    case .unstated, .binary:
      let first = bytes.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
      if let first, [UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "\"")].contains(first),
        let value = try Self.valueOfJSON(bytes, limits)
      {
        try self.init(json: value, limits)
      } else {
        self.init(texts: [.single(try Self.text(bytes))])
      }
    }
  }

  private init(texts: [Text], parameters: GivenParameters = [:], id: JSONValue? = nil) {
    self.texts = texts
    self.parameters = parameters
    self.id = id
  }

  private init(json: JSONValue, _ limits: BodyLimits) throws(ServiceError) {
    guard case .object(let members) = json else {
      self.init(texts: try Self.texts(json, at: "the body", tokenized: false, limits))
      return
    }
    var inputs: (name: RawText, value: JSONValue)?
    var tokenized = false
    var id: JSONValue?
    var parameters: GivenParameters = [:]
    var unknown = MemberNames()
    for name in members.keys where !Self.members.contains(name) { unknown.add(name) }
    guard unknown.count == 0 else {
      throw .invalid(
        "unknown member \(unknown.names.map { "'\($0)'" }.joined(separator: ", ")); there are "
          + Self.members.list)
    }
    for name in Self.members {
      guard let value = members[name] else { continue }
      switch name {
      case "inputs", "text", "texts", "instances":
        if let inputs {
          throw .invalid("give the texts once: both '\(inputs.name)' and '\(name)' are there")
        }
        inputs = (name, value)
      case "is_tokenized":
        guard case .boolean(let flag) = value else {
          throw .invalid("is_tokenized is true or false")
        }
        tokenized = flag
      case "id": id = value
      default: parameters[name] = try Self.parameter(name, value)
      }
    }
    guard let inputs else {
      throw .invalid("the texts are missing; give them as 'inputs'")
    }
    self.init(
      texts: try Self.texts(
        inputs.value, at: "'\(inputs.name)'", tokenized: tokenized, limits),
      parameters: parameters, id: id)
  }

  private static let members: [RawText] =
    ["inputs", "text", "texts", "instances", "is_tokenized", "id"] + EncodeParameters.names

  /// A member as it would stand in the query.
  private static func parameter(
    _ name: RawText, _ value: JSONValue
  ) throws(ServiceError) -> [RawText]? {
    switch value {
    case .null: return nil
    case .string(let text): return [RawText(text)]
    case .boolean(let flag): return [flag ? "true" : "false"]
    case .integer(let number): return [RawText(number.description)]
    case .array(let items) where name == "output_key" || name == "layers":
      guard !items.isEmpty else {
        throw .invalid("\(name) is an empty list; name at least one, or leave \(name) out")
      }
      var values: [RawText] = []
      for item in items {
        switch item {
        case .array, .null:
          throw .invalid("\(name) has \(item.kind) in its list; it holds names or numbers")
        default: values += try parameter(name, item) ?? []
        }
      }
      return values
    default:
      throw .invalid("\(name) has a value that it does not take")
    }
  }

  private static func texts(
    _ value: JSONValue, at place: String, tokenized: Bool, _ limits: BodyLimits
  ) throws(ServiceError) -> [Text] {
    switch value {
    case .string where !tokenized: return [try item(value, at: place, tokenized: false)]
    case .array(let items):
      try limits.check(texts: items.count)
      var texts: [Text] = []
      texts.reserveCapacity(items.count)
      for (index, value) in items.enumerated() {
        texts.append(try item(value, at: "item \(index) of \(place)", tokenized: tokenized))
      }
      return texts
    default:
      throw .invalid("\(place) is \(value.kind); it is a text or a list of texts")
    }
  }

  private static func item(
    _ value: JSONValue, at place: String, tokenized: Bool
  ) throws(ServiceError) -> Text {
    if case .string(let text) = value, !tokenized { return .single(text) }
    if case .array(let parts) = value {
      var words: [String] = []
      words.reserveCapacity(parts.count)
      for part in parts {
        guard case .string(let word) = part else {
          throw .invalid("\(place) has a part that is no string")
        }
        words.append(word)
      }
      if tokenized { return .words(words) }
      if words.count == 2 { return .pair(words[0], words[1]) }
    }
    throw .invalid(
      tokenized
        ? "\(place) is no list of words, which is_tokenized asks for"
        : "\(place) is neither a text nor a pair of two texts")
  }

  /// A JSON text, or pair, a line; empty lines are passed over.
  private static func lines(
    _ bytes: [UInt8], _ limits: BodyLimits
  ) throws(ServiceError) -> [Text] {
    var texts: [Text] = []
    var start = 0
    var number = 0
    while start < bytes.count {
      number += 1
      let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
      let line = bytes[start..<end]
      if line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) {
        try limits.check(texts: texts.count + 1)
        let value: JSONValue
        do {
          value = try JSONParser.parse(Array(line), limits: limits.json)
        } catch .cancelled {
          throw .deadlinePassed
        } catch {
          throw .invalid("line \(number): \(error.message)")
        }
        texts.append(try item(value, at: "line \(number)", tokenized: false))
      }
      start = end + 1
    }
    try limits.check(texts: texts.count)
    return texts
  }

  private static func value(
    _ bytes: [UInt8], _ limits: BodyLimits
  ) throws(ServiceError) -> JSONValue {
    do {
      return try JSONParser.parse(bytes, limits: limits.json)
    } catch {
      throw ServiceError(error, in: bytes)
    }
  }

  /// Nil for what is not JSON.
  private static func valueOfJSON(
    _ bytes: [UInt8], _ limits: BodyLimits
  ) throws(ServiceError) -> JSONValue? {
    do {
      return try JSONParser.parse(bytes, limits: limits.json)
    } catch .cancelled {
      throw .deadlinePassed
    } catch {
      return nil
    }
  }

  /// Unicode's replacement characters would be a silent change of the text: bad UTF-8 is refused.
  private static func text(_ bytes: [UInt8]) throws(ServiceError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .invalid("the text is not valid UTF-8; send it in that encoding")
    }
    return text
  }
}
