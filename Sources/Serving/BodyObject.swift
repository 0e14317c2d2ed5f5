package import JSON
import UntrustedInput

/// A request's body as one JSON object, read member by member; null counts as absent.
package struct BodyObject {
  package let members: [RawText: JSONValue]
  /// Whether a member of the wrong kind counts as well-formed: 422, not 400.
  private let mismatchIsUnprocessable: Bool

  package init(
    _ bytes: [UInt8], limits: JSONParser.Limits, mismatchIsUnprocessable: Bool = false
  ) throws(ServiceError) {
    let value: JSONValue
    do {
      value = try JSONParser.parse(bytes, limits: limits)
    } catch {
      throw ServiceError(error, in: bytes)
    }
    self.mismatchIsUnprocessable = mismatchIsUnprocessable
    guard case .object(let members) = value else {
      let message = "the body is \(value.kind); send a JSON object"
      throw mismatchIsUnprocessable ? .unprocessable(message) : .invalid(message)
    }
    self.members = members
  }

  /// An object in a list.
  package init(_ value: JSONValue, _ name: String) throws(ServiceError) {
    guard case .object(let members) = value else {
      throw .invalid("\(name) is \(value.kind); it is an object")
    }
    self.members = members
    mismatchIsUnprocessable = false
  }

  /// An object in an object; empty if it is absent.
  package init(member name: RawText, of body: BodyObject) throws(ServiceError) {
    mismatchIsUnprocessable = body.mismatchIsUnprocessable
    switch body[name] {
    case nil: members = [:]
    case .object(let members): self.members = members
    case let value?: throw body.error(name, "'\(name)' is \(value.kind); it is an object")
    }
  }

  /// A copy in which the members of the object `name` stand beside the body's own, and `name` itself is
  /// gone. Where both have a member, the body's own counts.
  package func addingMembers(of name: RawText) throws(ServiceError) -> BodyObject {
    guard self[name] != nil else { return self }
    let inner = try BodyObject(member: name, of: self)
    return BodyObject(
      members: members.filter { $0.key != name }.merging(inner.members) { outer, inner in
        outer == .null ? inner : outer
      },
      mismatchIsUnprocessable: mismatchIsUnprocessable)
  }

  /// With no other members than these.
  package func only(_ names: [RawText]) -> BodyObject {
    BodyObject(
      members: Dictionary(
        names.compactMap { name in members[name].map { (name, $0) } }, uniquingKeysWith: { $1 }),
      mismatchIsUnprocessable: mismatchIsUnprocessable)
  }

  private init(members: [RawText: JSONValue], mismatchIsUnprocessable: Bool) {
    self.members = members
    self.mismatchIsUnprocessable = mismatchIsUnprocessable
  }

  package subscript(name: RawText) -> JSONValue? {
    if case .null = members[name] { nil } else { members[name] }
  }

  package func required(_ name: RawText) throws(ServiceError) -> JSONValue {
    guard let value = self[name] else { throw error(name, "'\(name)' is missing") }
    return value
  }

  package func string(_ name: RawText) throws(ServiceError) -> RawText? {
    switch self[name] {
    case nil: return nil
    case .string(let text): return RawText(text)
    case let value?: throw error(name, "'\(name)' is \(value.kind); it is a string")
    }
  }

  package func boolean(_ name: RawText, default: Bool) throws(ServiceError) -> Bool {
    switch self[name] {
    case nil: return `default`
    case .boolean(let flag): return flag
    case let value?: throw error(name, "'\(name)' is \(value.kind); it is true or false")
    }
  }

  package func integer(_ name: RawText, in range: ClosedRange<Int>) throws(ServiceError) -> Int? {
    guard let value = self[name] else { return nil }
    guard case .integer(let claimed) = value else {
      throw error(name, "'\(name)' is \(value.kind); \(Self.expected(range))")
    }
    guard let number = claimed.within(range) else {
      throw error(name, "'\(name)' is \(claimed); \(Self.expected(range))")
    }
    return number
  }

  private static func expected(_ range: ClosedRange<Int>) -> String {
    "it is a whole number from \(range.lowerBound) to \(range.upperBound)"
  }

  package func error(_ name: RawText, _ message: String) -> ServiceError {
    mismatchIsUnprocessable
      ? .unprocessable(message) : .invalid(message, parameter: name.description)
  }
}

extension ServiceError {
  /// - Parameter bytes: the text that does not parse.
  package init(_ error: JSONError, in bytes: [UInt8]) {
    if case .cancelled = error {
      self = .deadlinePassed
    } else {
      self = .invalid(error.message(in: bytes))
    }
  }
}

extension [RawText] {
  /// For messages: names with commas between them.
  package var list: String { map(\.description).joined(separator: ", ") }
}
