import HTTPClient
import HTTPTypes
import JSON
import Synchronization
import Testing

@testable import HTTP
@testable import Serving

/// Whatever becomes of a request, it passes every middleware: it is recorded once, and its answer has
/// its id, its trace and what a page may read.
@Suite struct MiddlewareTests {
  private final class Records: Sendable {
    private let records = Mutex<[RequestRecord]>([])

    var all: [RequestRecord] { records.withLock { $0 } }
    func add(_ record: RequestRecord) { records.withLock { $0.append(record) } }
  }

  private static let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

  private static let fields: HTTPFields = [
    .requestID: "mine", .traceParent: trace, .origin: "https://page.example",
  ]

  private static func service(
    _ records: Records, keys: String? = nil, isReady: Bool = true
  ) throws -> Service {
    let documentation = Documentation(
      tag: .operations, summary: "",
      bodies: [.init(type: .json, schema: [:], example: [:])], answers: [])
    return Service(
      [
        RouteGroup([
          Route(.post, "/text", documentation) { $0.answer(.json([])) },
          Route(.get, "/health", documentation, access: .healthCheck) { $0.answer(.json([])) },
          Route(.get, "/dropped", documentation) { _ in },
        ])
      ],
      limits: ServiceLimits(
        texts: 9, bodyBytes: 999, outputBytes: 999, jsonDepth: 9, requestTimeout: .seconds(9)),
      keys: try keys.map { try APIKeys(list: $0) }, compression: .light,
      crossOrigin: CrossOrigin(origins: ["https://page.example"]),
      process: ProcessFacts(version: "1", limits: [], measurements: []),
      checkIsReady: { () throws(ServiceError) in if !isReady { throw .loading } },
      log: { records.add($0) })
  }

  private static func head(
    _ method: HTTPRequest.Method, _ path: String, _ more: HTTPFields = [:]
  ) -> HTTPRequest {
    var fields = fields
    fields.append(contentsOf: more)
    return HTTPRequest(
      method: method, scheme: "http", authority: "a", path: path, headerFields: fields)
  }

  private static func expectPassed(_ response: Response, _ records: Records) {
    #expect(response.fields[.requestID] == "mine")
    #expect(
      response.fields[.traceParent]?.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-") == true)
    #expect(response.fields[.accessControlAllowOrigin] == "https://page.example")
    #expect(response.fields[.vary]?.contains("Origin") == true)
    #expect(records.all.map(\.status) == [response.status.code])
    #expect(records.all.first?.id == "mine")
  }

  private static let refused: [(HTTPRequest.Method, String, HTTPFields, Int)] = [
    (.get, "/nowhere", [:], 404),
    (.get, "/text", [:], 405),
    (.post, "/text", [.contentType: "image/png"], 415),
    (.post, "/text", [.contentEncoding: "br"], 415),
    (.post, "/text", [.acceptEncoding: "identity;q=0, gzip;q=0"], 406),
  ]

  @Test(arguments: refused)
  func refusedByTheHead(
    method: HTTPRequest.Method, path: String, fields: HTTPFields, status: Int
  ) throws {
    let records = Records()
    let service = try Self.service(records)
    let request = service.begin(
      Self.head(method, path, fields), remoteAddress: "1.2.3.4", receivedAt: .now)
    guard case .refuse(let response) = request.examine() else {
      Issue.record("it is not refused")
      return
    }
    #expect(response.status.code == status)
    Self.expectPassed(response, records)
    #expect(records.all.first?.remoteAddress == "1.2.3.4")
  }

  @Test(arguments: [
    (keys: "secret-key", isReady: true, status: 401), (keys: nil, isReady: false, status: 503),
  ])
  func refusedByTheService(keys: String?, isReady: Bool, status: Int) throws {
    let records = Records()
    let service = try Self.service(records, keys: keys, isReady: isReady)
    let request = service.begin(Self.head(.post, "/text"), remoteAddress: "", receivedAt: .now)
    guard case .refuse(let response) = request.examine() else {
      Issue.record("it is not refused")
      return
    }
    #expect(response.status.code == status)
    Self.expectPassed(response, records)
    #expect(records.all.first?.route == "/text")
    guard
      case .discardBody = service.begin(
        Self.head(.get, "/health"), remoteAddress: "", receivedAt: .now
      ).examine()
    else {
      Issue.record("health checks need no key and no model")
      return
    }
  }

  /// A source of one piece, and then of what it is told.
  private struct Source: BodySource {
    let piece: BodyPiece

    func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void) { deliver(piece) }
    func abandon() {}
  }

  private static let streamed: [(BodyPiece, abandons: Bool, status: Int)] = [
    (.end, false, 200), (.failed, false, 500), (.bytes([1]), true, 499), (.bytes([1]), false, 499),
    (.end, true, 200),
  ]

  /// A stream is over with its end, and recorded once.
  @Test(arguments: streamed)
  func streamedAnswers(piece: BodyPiece, abandons: Bool, status: Int) throws {
    let records = Records()
    var context: RequestContext? = RequestContext(
      Self.head(.get, "/health"), remoteAddress: "", receivedAt: .now,
      of: try Self.service(records))
    var response = context?.complete(
      OutgoingAnswer(
        response: Response(status: .ok, body: .stream(Source(piece: piece), length: nil))))
    context = nil
    #expect(records.all.isEmpty)
    if case .stream(let source, _)? = response?.body {
      source.next { _ in }
      if abandons { source.abandon() }
    }
    response = nil
    #expect(records.all.map(\.status) == [status])
  }

  /// Over a connection: one is answered, the other's route drops it.
  @Test(arguments: [("/health", 200), ("/dropped", 500)])
  func handledRequests(path: String, status: Int) throws {
    let records = Records()
    let limits = ServerLimits(
      maxConnections: 9, maxTargetBytes: 999, maxFieldBytes: 999, maxHeaderBytes: 999,
      maxHeaderCount: 9, maxBodyBytes: 9999, headerTimeout: .seconds(60), bodyTimeout: .seconds(60),
      idleTimeout: .seconds(60), writeTimeout: .seconds(60))
    let server = Server(
      host: "127.0.0.1", port: 0, limits: limits, handler: try Self.service(records)
    ) { _ in }
    let port = try server.start().port
    defer { server.stop {} }
    let answer = try unsafe HTTPClient(host: "127.0.0.1", port: "\(port)", timeLimit: 60).ask(
      "GET", path)
    #expect(answer?.status == status)
    #expect(answer?.fields["x-request-id"]?.isEmpty == false)
    #expect(answer?.fields["vary"] == "Accept-Encoding, Origin")
    #expect(records.all.map(\.status) == [status])
    #expect(records.all.first?.route == path)
    #expect(records.all.first?.failure.isEmpty == (status == 200))
  }

  @Test func aClientThatLeaves() throws {
    let records = Records()
    let request = try Self.service(records).begin(
      Self.head(.post, "/text"), remoteAddress: "", receivedAt: .now)
    guard case .readBody = request.examine() else {
      Issue.record("the body is not read")
      return
    }
    request.abandoned()
    #expect(records.all.map(\.status) == [499])
    #expect(records.all.first?.route == "/text")
  }

  @Test func aBodyThatFails() throws {
    let records = Records()
    let service = try Self.service(records)
    let request = service.begin(Self.head(.post, "/text"), remoteAddress: "", receivedAt: .now)
    guard case .readBody = request.examine() else {
      Issue.record("the body is not read")
      return
    }
    let response = request.failed(.bodyTimeout)
    Self.expectPassed(response, records)
    #expect(records.all.first?.route == "/text")
    #expect(records.all.first?.failure == HTTPFailure.bodyTimeout.message)
    #expect(service.metrics.snapshot.malformed == [HTTPFailure.bodyTimeout.status.code: 1])
  }

  @Test func whatIsNoRequest() throws {
    let records = Records()
    let service = try Self.service(records)
    let part = RequestPart(
      method: .get, path: "/text", fields: Self.fields, remoteAddress: "1.2.3.4")
    let response = service.malformed(.headTimeout, part)
    #expect(response.status == HTTPFailure.headTimeout.status)
    Self.expectPassed(response, records)
    #expect(records.all.first?.route == "none")
    #expect(service.metrics.snapshot.requests.isEmpty)
  }

  /// Who is refused gets no memory for a compressor.
  @Test func aRefusalIsNotCompressed() throws {
    let records = Records()
    let path = "/" + String(repeating: "a", count: 1500)
    let request = try Self.service(records).begin(
      Self.head(.get, path, [.acceptEncoding: "gzip, identity;q=0"]), remoteAddress: "",
      receivedAt: .now)
    guard case .refuse(let response) = request.examine() else {
      Issue.record("it is not refused")
      return
    }
    #expect(response.status.code == 404)
    #expect(response.fields[.contentEncoding] == nil)
    #expect(response.fields[.vary]?.contains("Accept-Encoding") == true)
  }

  @Test func anotherPageMayNotRead() throws {
    let records = Records()
    let service = try Self.service(records)
    var head = Self.head(.get, "/nowhere")
    head.headerFields[.origin] = "https://other.example"
    guard
      case .refuse(let response) = service.begin(head, remoteAddress: "", receivedAt: .now)
        .examine()
    else {
      Issue.record("it is not refused")
      return
    }
    #expect(response.fields[.accessControlAllowOrigin] == nil)
    #expect(response.fields[.vary]?.contains("Origin") == true)
  }
}
