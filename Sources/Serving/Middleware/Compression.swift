import HTTP
import HTTPTypes

/// What an answer is made of: how well it compresses, and how much that costs beside the encoding.
package enum AnswerBulk {
  /// A vector a text, tokens, facts: 1 % of the encoding's time for half the bytes.
  case text
  /// A vector a token, as JSON: a third of the encoding's time for half the bytes.
  case tokenVectors
  /// Base64 or bare numbers: as long for a quarter or a tenth of the bytes.
  case dense
}

/// Which answers are compressed for clients that ask for it. The service is bound by its CPUs, and
/// many a client library asks for gzip without being told to.
public enum CompressedAnswers: Sendable {
  case none
  /// Where it costs next to nothing.
  case light
  /// All JSON.
  case all

  fileprivate func offers(_ bulk: AnswerBulk) -> Bool {
    switch (self, bulk) {
    case (.light, .text), (.all, .text), (.all, .tokenVectors): true
    default: false
    }
  }
}

/// Compresses answers for clients that ask for it, or take no other form.
struct Compression: Middleware {
  let answers: CompressedAnswers

  /// Below this a gzip header, a checksum and the calls cost more than is saved.
  private static let leastBytes = 1024

  /// Whether there is a form of the answer that the client takes.
  func admit(_ context: RequestContext, to route: Route) throws(ServiceError) {
    guard let field = context.head.headerFields[.acceptEncoding] else { return }
    let accepted = AcceptEncoding(field)
    guard accepted.allowsIdentity || accepted.allowsGzip && answers != .none else {
      throw .notAcceptable
    }
  }

  func complete(_ answer: inout OutgoingAnswer, to context: RequestContext) throws(ServiceError) {
    guard answers != .none else { return }
    let isOffered = answers.offers(answer.bulk)
    if isOffered { answer.response.vary(on: .acceptEncoding) }
    // A refusal is short, and who is refused gets no memory.
    guard let memory = answer.memory else { return }
    let accepted = AcceptEncoding(context.head.headerFields[.acceptEncoding])
    let mustCompress = !accepted.allowsIdentity
    guard mustCompress || isOffered && accepted.prefersGzip else { return }
    switch answer.response.body {
    case .bytes(let bytes):
      guard !bytes.isEmpty, mustCompress || bytes.count >= Self.leastBytes else { return }
      if let keptGzip = answer.keptGzip {
        answer.response.body = .bytes(keptGzip)
      } else if let encoder = GzipEncoder() {
        answer.response.body = .bytes(encoder.encode(bytes, .end))
      } else if mustCompress {
        throw .outOfMemoryBudget
      } else {
        return
      }
    case .stream(let source, _):
      if memory.grow(by: GzipEncoder.memoryBytes), let encoder = GzipEncoder() {
        answer.response.body = .stream(GzipSource(source, encoder), length: nil)
      } else if mustCompress {
        throw .outOfMemoryBudget
      } else {
        return
      }
    }
    answer.response.fields[.contentEncoding] = "gzip"
  }
}

/// Holds an answer's bytes against the memory budget.
struct AnswerMemory: Middleware {
  /// Answers up to this size need not be counted.
  private static let uncountedBytes = 4096

  func complete(_ answer: inout OutgoingAnswer, to context: RequestContext) throws(ServiceError) {
    guard answer.keptGzip == nil, let memory = answer.memory,
      case .bytes(let bytes) = answer.response.body, bytes.count > Self.uncountedBytes
    else { return }
    let lacking = bytes.count - memory.bytes
    guard lacking <= 0 || memory.grow(by: lacking) else { throw .outOfMemoryBudget }
  }
}

extension Response {
  mutating func vary(on name: HTTPField.Name) {
    fields[.vary] = fields[.vary].map { "\($0), \(name.rawName)" } ?? name.rawName
  }
}

/// A streamed answer, compressed piece by piece where each piece is made.
private final class GzipSource: BodySource {
  private let source: any BodySource
  /// Nil once the end is compressed.
  private let encoder: Locked<GzipEncoder?>

  init(_ source: any BodySource, _ encoder: sending GzipEncoder) {
    self.source = source
    self.encoder = Locked(encoder)
  }

  func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void) {
    if encoder.withLock({ $0 == nil }) { return deliver(.end) }
    source.next { [self] piece in
      let coded: BodyPiece = encoder.withLock { encoder in
        switch piece {
        // A line that is ready is of use to the client now.
        case .bytes(let bytes): return .bytes(encoder?.encode(bytes, .flush) ?? [])
        case .end:
          defer { encoder = nil }
          return .bytes(encoder?.encode([], .end) ?? [])
        case .failed: return .failed
        }
      }
      deliver(coded)
    }
  }

  func abandon() { source.abandon() }
}
