import HTTPTypes

/// Asks for a key on every route that tells of models or texts.
final class Authentication: Middleware {
  private let keys: Locked<APIKeys?>
  private let metricsAreOpen: Bool

  init(_ keys: APIKeys?, metricsAreOpen: Bool) {
    self.keys = Locked(keys)
    self.metricsAreOpen = metricsAreOpen
  }

  /// Whether a request must bring a key.
  var asksForKey: Bool { keys.withLock { $0 != nil } }

  /// From now on a request must bring one of these keys. Nothing changes for one under way, and
  /// nothing for a service that was made without keys.
  func renew(_ keys: APIKeys) {
    self.keys.withLock { if $0 != nil { $0 = keys } }
  }

  func admit(_ context: RequestContext, to route: Route) throws(ServiceError) {
    guard let keys = keys.withLock({ $0 }), !isOpen(route) else { return }
    try keys.check(context.head.headerFields[.authorization])
  }

  private func isOpen(_ route: Route) -> Bool {
    route.isOpen || route.access == .metrics && metricsAreOpen
  }
}

/// The keys of which a request must bring one, as `Authorization: Bearer KEY` (RFC 6750 section 2.1).
public struct APIKeys: Sendable {
  private var keys: [[UInt8]]

  /// - Parameter file: a key a line; empty lines and those that start with `#` are passed over.
  /// - Throws: what is wrong with the file; never a key.
  public init(file: [UInt8]) throws(APIKeysError) {
    var keys: [[UInt8]] = []
    for (index, line) in file.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated()
    {
      var key = Array(line)
      while let last = key.last, last == 0x0D || last == 0x20 || last == 0x09 { key.removeLast() }
      guard let first = key.first, first != UInt8(ascii: "#") else { continue }
      guard key.count >= 8, key.allSatisfy({ (0x21...0x7E).contains($0) }) else {
        throw .unusable(line: index + 1)
      }
      keys.append(key)
    }
    guard !keys.isEmpty else { throw .none }
    self.keys = keys
  }

  /// - Parameter list: keys with commas between them, as in a variable of the environment.
  public init(list: String) throws(APIKeysError) {
    try self.init(file: list.utf8.map { $0 == UInt8(ascii: ",") ? 0x0A : $0 })
  }

  /// The keys of both.
  public static func + (first: APIKeys, second: APIKeys) -> APIKeys {
    var sum = first
    sum.keys += second.keys
    return sum
  }

  /// Throws unless an Authorization field brings one of the keys. The time does not tell how much of a
  /// wrong one is right.
  func check(_ field: String?) throws(ServiceError) {
    guard let field else { throw .unauthorized(.missing) }
    guard field.utf8.count > 7,
      field.utf8.prefix(7).map({ $0 | 0x20 }).elementsEqual("bearer ".utf8)
    else { throw .unauthorized(.otherForm) }
    let given = Array(field.utf8.dropFirst(7))
    var isAllowed = false
    for key in keys {
      var difference = UInt8(given.count == key.count ? 0 : 1)
      for index in key.indices { difference |= key[index] ^ given[index % given.count] }
      isAllowed = isAllowed || difference == 0
    }
    if !isAllowed { throw .unauthorized(.unknown) }
  }
}

/// Why a request may not be answered where API keys are set.
public enum KeyFault: Equatable, Sendable {
  /// There is no Authorization field.
  case missing
  /// The field does not read `Bearer KEY`.
  case otherForm
  /// The key is none of ours.
  case unknown

  var message: String {
    switch self {
    case .missing: "an API key is needed; send it as Authorization: Bearer KEY"
    case .otherForm: "the Authorization field does not read 'Bearer KEY', as an API key is sent"
    case .unknown:
      "the API key is not one of this server's; check it, or ask who runs the server for one"
    }
  }

  /// RFC 6750 section 3: no error code where no credentials came.
  var challenge: String { self == .unknown ? "Bearer error=\"invalid_token\"" : "Bearer" }
}

public enum APIKeysError: Error, Equatable, Sendable, CustomStringConvertible {
  case none
  case unusable(line: Int)

  public var description: String {
    switch self {
    case .none: "it has no key: write one a line"
    case .unusable(let line):
      "line \(line) is no key: a key is 8 or more visible ASCII characters without spaces"
    }
  }
}
