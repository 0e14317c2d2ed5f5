public import HTTPTypes

/// An answer. The connection adds `Date`, the framing fields and `Connection`; a handler's own
/// `Content-Length` and `Transfer-Encoding` are not sent, its `Connection: close` is obeyed.
public struct Response: Sendable {
  public var status: HTTPResponse.Status
  public var fields: HTTPFields
  public var body: ResponseBody
  /// How long the connection's next request is left unread. It slows down a client that asks again at
  /// once for what it was refused, and would take the time of those who were not.
  public var pause = Duration.zero
  /// Kept until the answer is sent.
  public var memory: MemoryReservation?

  public init(status: HTTPResponse.Status, fields: HTTPFields = [:], body: ResponseBody) {
    self.status = status
    self.fields = fields
    self.body = body
  }

  public init(status: HTTPResponse.Status, fields: HTTPFields = [:], bytes: [UInt8] = []) {
    self.init(status: status, fields: fields, body: .bytes(bytes))
  }
}

public enum ResponseBody: Sendable {
  case bytes([UInt8])
  /// Pulled piece by piece, no faster than the client reads. Without a length it is sent in chunks
  /// (HTTP/1.1) or ended by closing (HTTP/1.0).
  case stream(any BodySource, length: Int?)
}

/// Where a streamed body comes from.
public protocol BodySource: Sendable {
  /// Asked for a piece only when the last one is delivered and the client has nearly read up.
  /// Called on the connection's I/O queue: must not block. `deliver` is called once, from any
  /// thread, at any time.
  func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void)
  /// No piece will be asked for any more, though `.end` was not delivered: the client is gone. Also
  /// called when the body is not wanted at all (HEAD).
  func abandon()
}

public enum BodyPiece: Sendable {
  case bytes([UInt8])
  case end
  /// The connection is broken off, so that the client sees that the body is not whole.
  case failed
}
