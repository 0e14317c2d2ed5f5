import EncoderContract
import Encoding
import JSON
import Serving
import UntrustedInput

/// The body of a `:predict` request, in TensorFlow Serving's row form (`instances`) or column form
/// (`inputs`). Source: tensorflow/serving, `util/json_tensor.cc`.
struct PredictBody {
  static let defaultSignature: RawText = "serving_default"

  var signature = defaultSignature
  /// Whether the answer is in row form, as the request is.
  var isRows: Bool
  var inputs: [MapInput]
  /// Members that are passed over.
  var ignored = MemberNames()

  init(
    _ bytes: [UInt8], limits: BodyLimits, model: ServedModel, given: GivenParameters
  ) throws(ServiceError) {
    guard bytes.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }) else {
      throw .invalid("JSON Parse error: The document is empty")
    }
    let body = try BodyObject(bytes, limits: limits.json)
    ignored.add(body, besides: ["signature_name", "instances", "inputs"])
    switch body.members["signature_name"] {
    case nil: break
    case .string(let name): signature = name.isEmpty ? Self.defaultSignature : RawText(name)
    default: throw .invalid("'signature_name' key must be a string value")
    }
    var columns = NamedInputs()
    switch (body.members["instances"], body.members["inputs"]) {
    case (nil, nil): throw .invalid("Missing 'inputs' or 'instances' key")
    case (_?, _?): throw .invalid("give one of the 'inputs' and 'instances' keys, not both")
    case (.array(let rows)?, nil):
      guard !rows.isEmpty else { throw .invalid("the 'instances' list is empty") }
      try limits.check(texts: rows.count)
      isRows = true
      try Self.read(rows: rows, into: &columns, model)
    case (_?, nil): throw .invalid("'instances' is a list of rows")
    case (nil, let value?):
      isRows = false
      if let members = Self.named(value) {
        for (name, value) in try NamedInputs.ordered(members, of: model) {
          try columns.add(try Self.column(Self.list(value, limits), name, model), name, of: model)
        }
      } else {
        try columns.add(
          try Self.column(Self.list(value, limits), "text", model), "text", of: model)
      }
    }
    inputs = try columns.inputs(of: model, given)
  }

  private static func read(
    rows: [JSONValue], into columns: inout NamedInputs, _ model: ServedModel
  ) throws(ServiceError) {
    guard let first = named(rows[0]) else {
      guard rows.allSatisfy({ named($0) == nil }) else {
        throw .invalid("the 'instances' are objects or values, not some of each")
      }
      return try columns.add(try column(rows, "text", model), "text", of: model)
    }
    var values: [RawText: [JSONValue]] = [:]
    for row in rows {
      guard let members = named(row), Set(members.keys) == Set(first.keys) else {
        throw .invalid("every one of the 'instances' has the inputs of the first")
      }
      for (name, value) in members { values[name, default: []].append(value) }
    }
    for (name, values) in try NamedInputs.ordered(values, of: model) {
      try columns.add(try column(values, name, model), name, of: model)
    }
  }

  /// Members of an object that is no text in Base64.
  private static func named(_ value: JSONValue) -> [RawText: JSONValue]? {
    guard case .object(let members) = value, members.count != 1 || members["b64"] == nil else {
      return nil
    }
    return members
  }

  /// A lone text stands for a list of it.
  private static func list(
    _ value: JSONValue, _ limits: BodyLimits
  ) throws(ServiceError) -> [JSONValue] {
    guard case .array(let items) = value else { return [value] }
    try limits.check(texts: items.count)
    return items
  }

  private static func column(
    _ rows: [JSONValue], _ name: RawText, _ model: ServedModel
  ) throws(ServiceError) -> NamedInputs.Column {
    if try NamedInputs.holdsTokens(name, of: model) {
      var integers: [ArraySlice<Untrusted<Int64>>] = []
      integers.reserveCapacity(rows.count)
      for (index, row) in rows.enumerated() {
        integers.append(try Self.integers(row, "row \(index) of input '\(name)'"))
      }
      return .rows(integers)
    }
    var texts: [String] = []
    texts.reserveCapacity(rows.count)
    for (index, row) in rows.enumerated() {
      texts.append(try text(row, "row \(index) of input '\(name)'"))
    }
    return .texts(texts)
  }

  private static func integers(
    _ row: JSONValue, _ place: @autoclosure () -> String
  ) throws(ServiceError) -> ArraySlice<Untrusted<Int64>> {
    guard case .array(let items) = row else {
      throw .invalid("\(place()) is \(row.kind); it is a list of whole numbers")
    }
    var integers: [Untrusted<Int64>] = []
    integers.reserveCapacity(items.count)
    for item in items {
      guard case .integer(let integer) = item else {
        throw .invalid("\(place()) has \(item.kind); it holds whole numbers")
      }
      integers.append(integer)
    }
    return integers[...]
  }

  private static func text(
    _ value: JSONValue, _ place: @autoclosure () -> String
  ) throws(ServiceError) -> String {
    switch value {
    case .string(let text): return text
    // [B, 1].
    case .array(let items) where items.count == 1: return try text(items[0], place())
    case .object(let members) where members.count == 1:
      guard case .string(let base64)? = members["b64"] else { break }
      let bytes: [UInt8]
      do {
        bytes = try Base64.decode(Array(base64.utf8).span)
      } catch {
        throw .invalid("\(place()): \(error.message)")
      }
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw .invalid("\(place()) has a 'b64' that is not valid UTF-8")
      }
      return text
    default: break
    }
    throw .invalid("\(place()) is \(value.kind); it is a text, or {\"b64\": …}")
  }
}
