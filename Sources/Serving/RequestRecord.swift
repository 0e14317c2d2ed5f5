import HTTPTypes

/// What became of one request, for the log and the metrics.
public struct RequestRecord: Sendable {
  public var id: String
  public var method: String
  /// The route's path, not the request's: paths a client makes up are not kept.
  public var route: String
  public var status: Int
  public var remoteAddress: String
  /// Why it was not read to its end, or not answered; empty for others.
  public var failure = ""
  /// When its first byte came; for what never became a request when it was refused.
  var beganAt: ContinuousClock.Instant
  /// The caller's trace, if it sent one that is well-formed.
  public var trace: TraceParent?
  /// Empty for what concerns no model.
  public var model = ""
  public var texts = 0
  public var tokens = 0
  public var truncated = 0
  package var ignored = MemberNames()
  public var stages = Stages()

  /// Where the time of a request went; zero for a stage that it did not pass.
  public struct Stages: Sendable {
    public var tokenize: Duration = .zero
    public var queue: Duration = .zero
    public var encode: Duration = .zero
    public var serialize: Duration = .zero
    public var total: Duration = .zero
    /// When the parsing began.
    package var tokenizeBegan = ContinuousClock.now
  }
}

extension RequestRecord {
  /// The first names of body members that had no effect.
  public var ignoredNames: [String] { ignored.shownNames }
}

extension RequestRecord.Stages {
  /// The Server-Timing field (W3C Server Timing): milliseconds by stage.
  var serverTiming: String {
    [
      ("tokenize", tokenize), ("queue", queue), ("encode", encode), ("serialize", serialize),
      ("total", total),
    ]
    .map { "\($0.0);dur=\($0.1.millisecondsText)" }
    .joined(separator: ", ")
  }
}

extension Duration {
  /// Seconds.
  public var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }

  /// Milliseconds with three decimals; 0 for a negative duration.
  package var millisecondsText: String {
    let microseconds = max(
      0, components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000)
    let thousandths = String(microseconds % 1000)
    return "\(microseconds / 1000)." + String(repeating: "0", count: 3 - thousandths.count)
      + thousandths
  }
}

extension HTTPField.Name {
  static let requestID = Self("x-request-id")!
  /// Members of the body that had no effect.
  static let ignoredMembers = Self("x-ignored-members")!
  /// How many of the request's texts were cut to the limit of tokens.
  static let truncatedTexts = Self("x-truncated-texts")!
  static let serverTiming = Self("server-timing")!
  static let traceParent = Self("traceparent")!
}
