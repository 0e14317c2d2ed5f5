import HTTP
import HTTPTypes

/// What an answer is made of: how well it compresses, and how much that costs beside the encoding.
enum AnswerBulk {
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

  /// Below this a gzip header, a checksum and the calls cost more than is saved.
  private static let leastBytes = 1024

  /// Whether there is a form of the answer that the client takes.
  func canAnswer(_ acceptEncoding: String?) -> Bool {
    guard let acceptEncoding else { return true }
    let accepted = AcceptEncoding(acceptEncoding)
    return accepted.allowsIdentity || accepted.allowsGzip && self != .none
  }

  private func offers(_ bulk: AnswerBulk) -> Bool {
    switch (self, bulk) {
    case (.light, .text), (.all, .text), (.all, .tokenVectors): true
    default: false
    }
  }

  /// - Parameters:
  ///   - keptGzip: the body compressed, if that is kept.
  ///   - memory: what a stream's compression is held against.
  /// - Returns: false if there is no memory for an answer that the client can read.
  func apply(
    to response: inout Response, _ bulk: AnswerBulk, _ acceptEncoding: String?,
    keptGzip: [UInt8]? = nil, memory: MemoryReservation
  ) -> Bool {
    guard self != .none else { return true }
    let accepted = AcceptEncoding(acceptEncoding)
    let isOffered = offers(bulk)
    if isOffered { response.vary(on: .acceptEncoding) }
    let mustCompress = !accepted.allowsIdentity
    guard mustCompress || isOffered && accepted.prefersGzip else { return true }
    switch response.body {
    case .bytes(let bytes):
      guard !bytes.isEmpty, mustCompress || bytes.count >= Self.leastBytes else { return true }
      if let keptGzip {
        response.body = .bytes(keptGzip)
      } else {
        guard let encoder = GzipEncoder() else { return !mustCompress }
        response.body = .bytes(encoder.encode(bytes, .end))
      }
    case .stream(let source, _):
      guard memory.grow(by: GzipEncoder.memoryBytes), let encoder = GzipEncoder() else {
        return !mustCompress
      }
      response.body = .stream(GzipSource(source, encoder), length: nil)
    }
    response.fields[.contentEncoding] = "gzip"
    return true
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
