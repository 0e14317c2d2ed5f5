import HTTPTypes

/// How an answer's body is framed, and whether the connection outlives it (RFC 9112 sections 6.3
/// and 9.3).
struct AnswerPlan {
  let framing: ResponseHead.Framing
  let persistence: ResponseHead.Persistence
  let closes: Bool
  /// Answers to HEAD, and 1xx, 204 and 304, have none.
  let sendsBody: Bool

  /// - Parameter closing: it is the last answer, whatever its own fields say.
  init(_ response: Response, isHead: Bool, isVersion10: Bool, closing: Bool) {
    let code = response.status.code
    let hasNoBody = code < 200 || code == 204 || code == 304
    var framing = ResponseHead.Framing.none
    if !hasNoBody {
      switch response.body {
      case .bytes(let bytes): framing = .length(bytes.count)
      case .stream(_, let length?): framing = .length(length)
      case .stream(_, nil): framing = isVersion10 ? .untilClose : .chunked
      }
    }
    var closes = closing
    if case .untilClose = framing { closes = true }
    response.fields[.connection].map { value in
      Array(value.utf8).span.forEachListElement { option in
        if option.equalsIgnoringCase("close") { closes = true }
      }
    }
    self.framing = framing
    self.closes = closes
    persistence = closes ? .close : isVersion10 ? .keepAlive : .unsaid
    sendsBody = !hasNoBody && !isHead
  }
}
