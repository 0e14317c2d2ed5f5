import HTTP
import JSON

/// What bodies may hold.
struct BodyLimits: Sendable {
  var json: JSONParser.Limits
  var texts: Int

  /// Called before so many texts are made.
  ///
  /// - Throws: `empty`, or `unprocessable` with the limit.
  func check(texts count: Int) throws(ServiceError) {
    guard count > 0 else {
      throw .empty("there are no texts; a list holds at least one, and \"\" is a text")
    }
    guard count <= texts else {
      throw .unprocessable(
        "there are \(count) texts and the limit is \(texts) (max_texts); send them in several "
          + "requests")
    }
  }
}

extension Service {
  /// The limits of a request's body, which is read as long as somebody waits for the answer.
  func bodyLimits(_ exchange: Exchange) -> BodyLimits {
    var json = JSONParser.Limits()
    json.depth = limits.jsonDepth
    json.mayContinue = { !exchange.isOver }
    return BodyLimits(json: json, texts: limits.texts)
  }

  /// Bodies up to this many bytes, of so many values at the most, are read where they arrive: some
  /// 100 µs at the most, which is not worth a change of thread.
  private static let inlineBodySize = 2048
  private static let inlineValueCount = 64
  /// A compressed body is counted as so many times as long, until it is decompressed.
  private static let decompressionFactor = 4

  /// Hands a request's body, without its content coding, to what reads it and puts its texts into
  /// the queue; a failure is the request's answer. Nothing is done for a client that is gone, or past
  /// the request's deadline.
  func work(
    _ exchange: Exchange, _ read: @escaping @Sendable ([UInt8]) throws(ServiceError) -> Void
  ) {
    guard let coding = try? Self.contentCoding(exchange.request.head) else {
      return work(exchange, exchange.takeBody(), read)
    }
    parsing.perform(bytes: Self.decompressionFactor * exchange.bodySize) { [self] in
      do throws(ServiceError) {
        try exchange.checkIsWanted()
        work(exchange, try decoded(exchange, coding), read)
      } catch {
        exchange.fail(error)
      }
    }
  }

  private func work(
    _ exchange: Exchange, _ body: [UInt8],
    _ read: @escaping @Sendable ([UInt8]) throws(ServiceError) -> Void
  ) {
    let work: @Sendable () -> Void = {
      let (values, members) = Self.valueCounts(body)
      exchange.note { $0.stages.tokenizeBegan = .now }
      do throws(ServiceError) {
        try exchange.checkIsWanted()
        // The most memory that a body takes while it is read: itself, its texts, and its JSON values,
        // whose lists grow by doubling.
        try exchange.hold(
          3 * body.count + 64 * min(values, JSONParser.Limits().valueCount) + 128 * members)
        try read(body)
      } catch {
        exchange.fail(error)
      }
    }
    if body.count <= Self.inlineBodySize,
      Self.valueCounts(body).values <= Self.inlineValueCount
    {
      work()
    } else {
      parsing.perform(bytes: body.count, work)
    }
  }

  private func decoded(
    _ exchange: Exchange, _ coding: ContentCoding
  ) throws(ServiceError) -> [UInt8] {
    let body = exchange.takeBody()
    do throws(ContentCodingError) {
      return try coding.decode(body, limit: limits.bodyBytes) {
        exchange.request.memory.grow(by: $0)
      }
    } catch {
      throw ServiceError(error)
    }
  }

  /// JSON values and members of objects, at the most.
  private static func valueCounts(_ body: [UInt8]) -> (values: Int, members: Int) {
    var values = 1
    var members = 0
    for byte in body {
      switch byte {
      case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"): values += 1
      case UInt8(ascii: ":"): members += 1
      default: break
      }
    }
    return (values, members)
  }
}
