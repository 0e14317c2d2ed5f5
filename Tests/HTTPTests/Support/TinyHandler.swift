import HTTP
import HTTPTypes
import Synchronization

/// A few routes, enough to see every behaviour of the server below them.
final class TinyHandler: RequestHandler {
  let cancelled = Atomic(0)
  let sources = Mutex<[String: any BodySource]>([:])
  /// Responders of `/slow`, kept until the test answers.
  let waiting = Mutex<[Responder]>([])

  private struct TinyRequest: HandledRequest {
    let handler: TinyHandler
    let head: HTTPRequest

    var isHealthCheck: Bool { head.path == "/health" }
    func examine() -> Examination { TinyHandler.examine(head) }
    func handle(_ request: Request, _ responder: Responder) { handler.handle(request, responder) }
    func abandoned() {}
    func failed(_ failure: HTTPFailure) -> Response { TinyHandler.malformed(failure) }
  }

  func begin(
    _ head: HTTPRequest, remoteAddress: String, receivedAt: ContinuousClock.Instant
  ) -> any HandledRequest {
    TinyRequest(handler: self, head: head)
  }

  static func examine(_ head: HTTPRequest) -> Examination {
    if let refusal = refuse(head) { return .refuse(refusal) }
    return head.method == .post ? .readBody : .discardBody
  }

  private static func refuse(_ head: HTTPRequest) -> Response? {
    if head.method == .options, head.path == "*" { return nil }
    guard let path = try? RequestTarget(head.path ?? "").path else {
      return text(.badRequest, "bad target\n")
    }
    let isPost = path == "/echo"
    guard isPost || path != "/nowhere" else { return text(.notFound, "no route\n") }
    let allowed: [HTTPRequest.Method] = isPost ? [.post] : [.get, .head]
    guard allowed.contains(head.method) else {
      var response = text(.methodNotAllowed, "wrong method\n")
      response.fields[.allow] = allowed.map(\.rawValue).joined(separator: ", ")
      return response
    }
    return nil
  }

  private func handle(_ request: Request, _ responder: Responder) {
    let target = try? RequestTarget(request.head.path ?? "")
    switch target?.path {
    case "/slow":
      responder.onCancel { [self] in cancelled.add(1, ordering: .relaxed) }
      waiting.withLock { $0.append(responder) }
    case "/dropped":
      break
    case "/stream", "/sized":
      let name = target?.query.first?.name ?? ""
      guard let source = sources.withLock({ $0[name] }) else { return }
      let length = target?.query.first.flatMap { Int($0.value) }
      responder.respond(Response(status: .ok, body: .stream(source, length: length)))
    default:
      responder.respond(Self.answer(request))
    }
  }

  static func answer(_ request: Request) -> Response {
    if request.head.path == "*" {
      return Response(status: .noContent, fields: [.allow: "GET, HEAD, POST, OPTIONS"])
    }
    switch try? RequestTarget(request.head.path ?? "").path {
    case "/echo": return Response(status: .ok, bytes: request.body)
    case "/host": return text(.ok, request.head.authority ?? "none")
    case "/health": return text(.ok, "ok\n")
    case "/busy":
      var response = text(.tooManyRequests, "later\n")
      response.pause = .milliseconds(500)
      return response
    case "/fields":
      // Every field as it came, to see what was read as what.
      var bytes: [UInt8] = []
      for field in request.head.headerFields {
        bytes += Array("\(field.name.canonicalName)=".utf8)
        unsafe field.withUnsafeBytesOfValue { unsafe bytes.append(contentsOf: $0) }
        bytes += Array("\n".utf8)
      }
      return Response(status: .ok, bytes: bytes)
    default: return text(.notFound, "no route\n")
    }
  }

  func malformed(_ failure: HTTPFailure, _ part: RequestPart) -> Response {
    Self.malformed(failure)
  }

  static func malformed(_ failure: HTTPFailure) -> Response {
    Response(
      status: failure.status, fields: [.contentType: "application/json"],
      bytes: Array(#"{"error":"\#(failure.message)","error_type":"Validation"}"#.utf8))
  }

  private static func text(_ status: HTTPResponse.Status, _ text: String) -> Response {
    Response(status: status, fields: [.contentType: "text/plain"], bytes: Array(text.utf8))
  }
}
