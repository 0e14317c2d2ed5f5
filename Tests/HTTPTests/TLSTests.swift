import Glibc
import HTTP
import Testing

/// What TLS adds to a server's life. The behaviours of HTTP over it are `BehaviourTests`; protocols,
/// ciphers and what a client is shown are looked at from outside, in `Tests/EndToEnd/test_tls.py`.
@Suite struct TLSTests {
  private static let get = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"

  private func failure(
    _ certificate: String, _ key: String, _ clientAuthorities: String? = nil
  ) -> TLSError? {
    do throws(TLSError) {
      _ = try TLSContext(
        certificate: certificate, key: key, clientAuthorities: clientAuthorities)
      return nil
    } catch { return error }
  }

  @Test func filesThatCannotBeUsedAreNamed() {
    let (server, other) = (Certificate.server, Certificate.other)
    let nowhere = "/nowhere/x.pem"
    let noPEM = Certificate.path("make_certificates.sh")
    #expect(failure(server.certificate, server.key) == nil)
    #expect(failure(server.certificate, server.key, Certificate.authority) == nil)
    #expect(
      failure(nowhere, server.key)
        == .certificate(path: nowhere, reason: "No such file or directory"))
    #expect(
      failure(server.certificate, nowhere)
        == .key(path: nowhere, reason: "No such file or directory"))
    #expect(failure(noPEM, server.key) == .certificate(path: noPEM, reason: "no start line"))
    for path in [noPEM, server.certificate, Certificate.path("locked.key")] {
      guard case .key(path, _) = failure(server.certificate, path) else {
        Issue.record("\(path) was taken for a key")
        continue
      }
    }
    #expect(
      failure(server.certificate, other.key)
        == .notAPair(certificate: server.certificate, key: other.key))
    guard case .clientAuthorities(noPEM, _) = failure(server.certificate, server.key, noPEM) else {
      Issue.record("a script was taken for authorities")
      return
    }
  }

  /// `connect()` of a server with TLS would shake hands.
  private func plainClient(_ test: TestServer) -> RawClient { RawClient(test, plain: true) }

  @Test(arguments: [get, "DELETE / HTTP/1.1\r\n", "G"])
  func plainHTTPIsToldSoInTheOpen(_ request: String) async throws {
    let test = try TestServer(.tls)
    let (response, rest) = try await blocking {
      let client = plainClient(test)
      client.send(request)
      let response = client.response()
      client.endOutput()
      return (response, client.rest())
    }
    #expect(response?.status == 400)
    #expect(response?.text.contains("https://") == true)
    #expect(response?["connection"] == "close")
    #expect(rest == [])
  }

  @Test(arguments: [
    [0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0], [UInt8](repeating: 0, count: 100),
    [0x16, 3, 1, 0xFF, 0xFF] + [UInt8](repeating: 1, count: 70_000), [0x80, 0x2E, 1, 3, 1],
    [0x15, 3, 3, 0, 2, 2, 0x28], Array("get / http/1.1\r\n\r\n".utf8),
  ])
  func aHandshakeThatIsNoneEndsTheConnection(_ bytes: [UInt8]) async throws {
    let test = try TestServer(.tls)
    let (isOver, served) = try await blocking {
      let bad = plainClient(test)
      bad.send(bytes)
      bad.endOutput()
      let isOver = eventually { test.server.statistics.openConnections == 0 }
      let good = test.connect()
      good.send(Self.get)
      return (isOver, good.response()?.status)
    }
    #expect(isOver)
    #expect(served == 200)
  }

  @Test func aFailedHandshakeIsCountedAndNoted() async throws {
    let test = try TestServer(.tls)
    let ended = try await blocking {
      let bad = plainClient(test)
      bad.send([UInt8](repeating: 0, count: 100))
      return eventually { test.server.statistics.failedHandshakes == 1 }
    }
    #expect(ended)
    guard case .handshakeFailed(let reason, _) = test.events.all.first else {
      Issue.record("\(test.events.all)")
      return
    }
    #expect(!reason.isEmpty)
  }

  @Test func aHandshakeHasTheHeadersDeadline() async throws {
    let test = try TestServer(.tls) { $0.headerTimeout = .milliseconds(200) }
    let rests = try await blocking {
      let silent = plainClient(test)
      let half = plainClient(test)
      half.send([0x16, 3, 1])
      return [silent.rest(), half.rest()]
    }
    #expect(rests == [[], []])
  }

  @Test func clientsShowACertificateIfTheyMust() async throws {
    let test = try TestServer(.tls, clientAuthorities: Certificate.authority)
    func status(_ certificate: Certificate?) async throws -> Int? {
      try await blocking {
        let client = RawClient(test, certificate: certificate)
        client.send(Self.get)
        return client.response()?.status
      }
    }
    #expect(try await status(.client) == 200)
    #expect(try await status(nil) == nil)
    // Somebody's, but of no authority of ours.
    #expect(try await status(.other) == nil)
    #expect(test.server.statistics.requests == 1)
  }

  @Test func aNewCertificateLeavesConnectionsAlone() async throws {
    let test = try TestServer(.tls)
    let next = try Certificate.other.context()
    let statuses = try await blocking {
      let old = test.connect()
      old.send(Self.get)
      let before = old.response()?.status
      test.server.renew(next)
      old.send(Self.get)
      let new = test.connect()
      new.send(Self.get)
      return [before, old.response()?.status, new.response()?.status]
    }
    #expect(statuses == [200, 200, 200])
  }
}
