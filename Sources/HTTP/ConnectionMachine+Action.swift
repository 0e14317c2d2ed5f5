import HTTPTypes

extension ConnectionMachine {
  /// What the shell is to do next.
  enum Action {
    case wait
    /// Read once; report `received`, `readWouldBlock`, `endOfInput` or `broke`.
    case read
    /// Write `output` once; report `sent` or `broke`.
    case send
    /// Ask the handler; report `proceed`, `refuse` or `reject`.
    case examine(HTTPRequest)
    /// Give to the handler; report `respond` when it answers.
    case handle(
      HTTPRequest, body: [UInt8],
      times: (receivedAt: ContinuousClock.Instant, bodyReadAt: ContinuousClock.Instant))
    /// Have the failure worded; report `explain`.
    case word(HTTPFailure, RequestPart)
    /// Tell the handler of a request whose client is gone before the body was whole.
    case forget
    /// Ask for a piece; report `deliver`.
    case pull(any BodySource)
    /// The client is gone: tell whoever works on its request.
    case cancel
    case abandon(any BodySource)
    /// Send FIN.
    case endOutput
    /// Close the socket; abruptly: with RST. Nothing follows.
    case close(abruptly: Bool)
  }
}
