import HTTP
package import JSON

/// What bodies may hold.
package struct BodyLimits: Sendable {
  package var json: JSONParser.Limits
  package var texts: Int

  package init(json: JSONParser.Limits, texts: Int) {
    self.json = json
    self.texts = texts
  }

  /// Called before so many texts are made.
  ///
  /// - Throws: `empty`, or `unprocessable` with the limit.
  package func check(texts count: Int) throws(ServiceError) {
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

extension Exchange {
  /// The limits of the body, which is read as long as somebody waits for the answer.
  package var bodyLimits: BodyLimits {
    var json = JSONParser.Limits()
    json.depth = service.limits.jsonDepth
    json.mayContinue = { !self.isOver }
    return BodyLimits(json: json, texts: service.limits.texts)
  }

  /// Bodies up to this many bytes, of so many values at the most, are read where they arrive: some
  /// 100 µs at the most, which is not worth a change of thread.
  private static let inlineBodySize = 2048
  private static let inlineValueCount = 64
  /// A compressed body is counted as so many times as long, until it is decompressed.
  private static let decompressionFactor = 4

  /// Hands the body, without its content coding, to what reads it and puts its texts into the queue; a
  /// failure is the request's answer. Nothing is done for a client that is gone, or past the request's
  /// deadline.
  package func readBody(
    _ read: @escaping @Sendable ([UInt8]) throws(ServiceError) -> Void
  ) {
    guard let coding = try? context.contentCoding() else {
      return readBody(takeBody(), read)
    }
    service.parsing.perform(bytes: Self.decompressionFactor * bodySize) { [self] in
      do throws(ServiceError) {
        try checkIsWanted()
        readBody(try decoded(coding), read)
      } catch {
        fail(error)
      }
    }
  }

  private func readBody(
    _ body: [UInt8], _ read: @escaping @Sendable ([UInt8]) throws(ServiceError) -> Void
  ) {
    let work: @Sendable () -> Void = { [self] in
      let (values, members) = Self.valueCounts(body)
      note { $0.stages.tokenizeBegan = .now }
      do throws(ServiceError) {
        try checkIsWanted()
        // The most memory that a body takes while it is read: itself, its texts, and its JSON values,
        // whose lists grow by doubling.
        try hold(
          3 * body.count + 64 * min(values, JSONParser.Limits().valueCount) + 128 * members)
        try read(body)
      } catch {
        fail(error)
      }
    }
    if body.count <= Self.inlineBodySize,
      Self.valueCounts(body).values <= Self.inlineValueCount
    {
      work()
    } else {
      service.parsing.perform(bytes: body.count, work)
    }
  }

  private func decoded(_ coding: ContentCoding) throws(ServiceError) -> [UInt8] {
    let body = takeBody()
    do throws(ContentCodingError) {
      return try coding.decode(body, limit: service.limits.bodyBytes) {
        request.memory.grow(by: $0)
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
