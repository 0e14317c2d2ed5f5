import Foundation
import Testing

private let peerPort = ProcessInfo.processInfo.environment["HTTP_PEER_PORT"].flatMap { Int($0) }

/// The rows of `behaviours` against another server, for comparison: `make compare-http` starts some with
/// the same routes, and names the port here. What they answer is printed, not asserted.
struct PeerBehaviourTests {
  @Test(.enabled(if: peerPort != nil)) func report() async throws {
    let port = try #require(peerPort)
    var kept = 0
    for behaviour in behaviours {
      let answer = try await blocking { Self.ask(behaviour, port: port) }
      let isKept = Self.keeps(behaviour, answer)
      if isKept { kept += 1 }
      let found = answer.statuses.map(String.init).joined(separator: " ")
      let wanted = behaviour.statuses.map(String.init).joined(separator: " ")
      print(
        "ROW \(isKept ? "kept" : "differs") | RFC \(behaviour.section) | \(behaviour.name) | "
          + "wanted \(wanted)\(behaviour.closes ? ", close" : "") | "
          + "answered \(found.isEmpty ? "nothing" : found)\(answer.isClosed ? ", close" : "")")
    }
    print("TOTAL \(kept) of \(behaviours.count)")
  }

  private struct Answer: Sendable {
    var statuses: [Int] = []
    var isClosed = false
  }

  /// As `BehaviourTests` asks its own server.
  private static func ask(_ behaviour: Behaviour, port: Int) -> Answer {
    let client = RawClient(port: port)
    client.send(behaviour.bytes)
    var answer = Answer()
    for _ in behaviour.statuses {
      guard let response = client.response() else { break }
      answer.statuses.append(response.status)
    }
    if client.isAtEnd || behaviour.closes {
      answer.isClosed = client.rest() != nil
    } else {
      client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
      answer.isClosed = client.response()?.status != 200
    }
    return answer
  }

  /// Which error is a server's choice; that it is one, and that nothing is read after it, is not.
  private static func keeps(_ behaviour: Behaviour, _ answer: Answer) -> Bool {
    guard let last = behaviour.statuses.last, last >= 400 else {
      return answer.statuses == behaviour.statuses && answer.isClosed == behaviour.closes
    }
    let isRefused = answer.statuses.last.map { $0 >= 400 } ?? answer.isClosed
    return isRefused && (answer.isClosed || !behaviour.closes)
  }
}
