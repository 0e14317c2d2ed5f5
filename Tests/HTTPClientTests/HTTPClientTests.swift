import HTTP
import HTTPTypes
import JSON
import Testing

@testable import HTTPClient

/// The client and our own server.
@Suite struct HTTPClientTests {
  /// Answers with what it was asked.
  private struct EchoHandler: RequestHandler, HandledRequest {
    var isHealthCheck: Bool { false }

    func begin(
      _ head: HTTPRequest, remoteAddress: String, receivedAt: ContinuousClock.Instant
    ) -> any HandledRequest { self }
    func examine() -> Examination { .readBody }
    func abandoned() {}
    func failed(_ failure: HTTPFailure) -> Response {
      Response(status: failure.status, body: .bytes([]))
    }
    func malformed(_ failure: HTTPFailure, _ part: RequestPart) -> Response { failed(failure) }

    func handle(_ request: Request, _ responder: Responder) {
      let head = "\(request.head.method) \(request.head.path ?? "") "
      let key = request.head.headerFields[.authorization] ?? "no key"
      let fields: HTTPFields = [.retryAfter: "7"]
      responder.respond(
        Response(
          status: .accepted, fields: fields,
          body: .bytes(Array((head + key + " ").utf8) + request.body)))
    }
  }

  private static func server() throws -> (Server, port: Int) {
    let limits = ServerLimits(
      maxConnections: 9, maxTargetBytes: 999, maxFieldBytes: 999, maxHeaderBytes: 999,
      maxHeaderCount: 9, maxBodyBytes: 9999, headerTimeout: .seconds(60), bodyTimeout: .seconds(60),
      idleTimeout: .seconds(60), writeTimeout: .seconds(60))
    let server = Server(host: "127.0.0.1", port: 0, limits: limits, handler: EchoHandler()) { _ in }
    return (server, try server.start().port)
  }

  @Test func asksAndIsAnswered() throws {
    let (server, port) = try Self.server()
    defer { server.stop {} }
    let client = try HTTPClient(url: "http://127.0.0.1:\(port)/base/", key: "k")
    let answer = try #require(try client.ask("POST", "/a?b", body: Array("[1]".utf8)))
    #expect(answer.status == 202)
    #expect(answer.fields["retry-after"] == "7")
    #expect(String(decoding: answer.body, as: UTF8.self) == "POST /base/a?b Bearer k [1]")
  }

  @Test func anAnswerOverTheLimitIsRefused() throws {
    let (server, port) = try Self.server()
    defer { server.stop {} }
    let client = unsafe HTTPClient(host: "127.0.0.1", port: String(port), timeLimit: 60)
    #expect(throws: HTTPClientError.answerTooLong(authority: "127.0.0.1:\(port)", limit: 1000)) {
      try client.ask("POST", "/", body: [UInt8](repeating: 0x61, count: 1000), maxAnswerBytes: 1000)
    }
    #expect(try client.ask("GET", "/", maxAnswerBytes: 1000)?.status == 202)
  }

  @Test func nobodyListens() async throws {
    let (server, port) = try Self.server()
    await withCheckedContinuation { stopped in server.stop { stopped.resume() } }
    let client = unsafe HTTPClient(host: "127.0.0.1", port: String(port), timeLimit: 60)
    #expect(try client.ask("GET", "/") == nil)
  }
}
