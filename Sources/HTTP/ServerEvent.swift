import HTTPTypes

/// What an operator may want in the log.
public enum ServerEvent: Equatable, Sendable, CustomStringConvertible {
  /// A handler dropped its responder: a defect. The client was told 500.
  case unanswered(path: String)
  /// A body source dropped its `deliver`: a defect. The answer was broken off.
  case unfinished
  /// A client and we did not agree on TLS.
  case handshakeFailed(reason: String, remoteAddress: String)
  /// Accepting failed (too many open files, for one) and is tried again shortly.
  case acceptFailed(errno: Int32)

  public var description: String {
    switch self {
    case .unanswered(let path): "the request for \(path) was dropped without an answer"
    case .unfinished: "a streamed answer was dropped half-way"
    case .handshakeFailed(let reason, let remoteAddress):
      "no TLS with \(remoteAddress): \(reason)"
    case .acceptFailed(let errno): "accepting a connection failed with errno \(errno)"
    }
  }
}

/// Why a server did not start.
public enum HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
  case unknownHost(String, reason: String)
  case cannotListen(host: String, port: Int, errno: Int32, reason: String)
  case outOfResources(errno: Int32)
  case alreadyStarted

  public var description: String {
    switch self {
    case .unknownHost(let host, let reason):
      "the host \"\(host)\" is not an address of this machine (\(reason)): use one, or 0.0.0.0"
    case .cannotListen(let host, let port, _, let reason):
      "cannot listen on \(host) port \(port) (\(reason)): choose another port, or stop what has it"
    case .outOfResources(let errno):
      "no descriptor for the event queue (errno \(errno)): raise the limit of open files"
    case .alreadyStarted: "the server was started before: make another one"
    }
  }
}
