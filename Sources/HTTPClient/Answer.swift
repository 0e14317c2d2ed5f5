public import JSON

/// A service's answer.
public struct Answer: Equatable, Sendable {
  public var status: Int
  /// Names in lower case. Neither names nor values are compared as `String`: see `RawText`.
  public var fields: [RawText: RawText] = [:]
  public var body: [UInt8] = []

  /// What breaks the rules.
  struct Malformed: Error, Equatable {
    var part: String

    init(_ part: String) { self.part = part }
  }
}
