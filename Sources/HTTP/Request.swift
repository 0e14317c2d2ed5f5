public import HTTPTypes

/// A whole request.
public struct Request: Sendable {
  /// Method, path (origin form with the query, or `*`), authority (of the target, or else `Host`)
  /// and the fields other than `Host`, as they came.
  public var head: HTTPRequest
  /// Without its transfer coding.
  public var body: [UInt8]
  /// When the first byte of the head was read.
  public var receivedAt: ContinuousClock.Instant
  /// When the last byte of the body was read.
  public var bodyReadAt: ContinuousClock.Instant
  /// `address:port` of the other end, an IPv6 address in brackets.
  public var remoteAddress: String
  /// Holds the body's bytes, and what its handler adds, until the answer is sent.
  public var memory: MemoryReservation

  public init(
    head: HTTPRequest, body: [UInt8], receivedAt: ContinuousClock.Instant,
    bodyReadAt: ContinuousClock.Instant, remoteAddress: String, memory: MemoryReservation
  ) {
    self.head = head
    self.body = body
    self.receivedAt = receivedAt
    self.bodyReadAt = bodyReadAt
    self.remoteAddress = remoteAddress
    self.memory = memory
  }
}
