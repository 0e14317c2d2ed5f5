/// What a body may be compressed with (RFC 9110 section 8.4.1).
public enum ContentCoding: Equatable, Sendable {
  case gzip
  /// zlib's format round the deflate one, as the RFC has it; bare deflate data is broken.
  case deflate

  /// For `Accept-Encoding` of an answer that refuses another coding.
  public static let accepted = "gzip, deflate"

  /// Reads a Content-Encoding field: one coding, or none; `identity` changes nothing.
  ///
  /// - Throws: `unknown`, or `several`: each further coding would multiply what a body may open to.
  public init?(field: String?) throws(ContentCodingError) {
    guard let field else { return nil }
    var codings: [ContentCoding] = []
    var unknown: String?
    Array(field.utf8).span.forEachListElement { name in
      if name.isEmpty || name.equalsIgnoringCase("identity") { return }
      if name.equalsIgnoringCase("gzip") || name.equalsIgnoringCase("x-gzip") {
        codings.append(.gzip)
      } else if name.equalsIgnoringCase("deflate") {
        codings.append(.deflate)
      } else {
        unknown = unknown ?? name.string
      }
    }
    if let unknown { throw .unknown(unknown) }
    if codings.count > 1 { throw .several }
    guard let coding = codings.first else { return nil }
    self = coding
  }

  /// What any body may open to, however small it is.
  private static let uncheckedBytes = 1 << 20
  /// Beyond that, bytes for each byte of the body. Texts reach 10 or 20; 1,032 is deflate's limit.
  private static let maxRatio = 256

  /// Undoes the coding.
  ///
  /// - Parameters:
  ///   - limit: the most bytes that it may give.
  ///   - reserve: takes so many bytes of memory before they are used; false if there is no room.
  /// - Throws: `broken`, `tooLong`, `tooDense`, `noRoom`, `outOfMemory`.
  public func decode(
    _ body: [UInt8], limit: Int, reserve: (Int) -> Bool
  ) throws(ContentCodingError) -> [UInt8] {
    let (byRatio, overflow) = body.count.multipliedReportingOverflow(by: Self.maxRatio)
    let ratioLimit = overflow ? Int.max : max(byRatio, Self.uncheckedBytes)
    return try Inflater.inflate(
      body.span, self, limit: min(limit, ratioLimit), reserve: reserve,
      tooLong: limit <= ratioLimit ? .tooLong(limit: limit) : .tooDense(ratio: Self.maxRatio))
  }
}

public enum ContentCodingError: Error, Equatable, Sendable, CustomStringConvertible {
  case unknown(String)
  case several
  /// The data is damaged, cut off, or followed by something else.
  case broken(ContentCoding)
  case tooLong(limit: Int)
  /// It opens to more than `ratio` times its size.
  case tooDense(ratio: Int)
  /// The memory budget of requests is used up.
  case noRoom
  case outOfMemory

  public var description: String {
    switch self {
    case .unknown(let name):
      "unknown content coding '\(name.prefix(32))'; use \(ContentCoding.accepted), or none"
    case .several: "more than one content coding: use \(ContentCoding.accepted), or none"
    case .broken(let coding):
      "the \(coding) body is truncated or corrupt, or followed by other data"
    case .tooDense(let ratio):
      "the decompressed body is more than \(ratio) times as long as the compressed one: send it "
        + "without a content coding"
    case .noRoom: HTTPFailure.outOfMemoryBudget.message
    case .tooLong(let limit):
      "the decompressed body is longer than \(limit) bytes: send it in several requests"
    case .outOfMemory: "there is no memory left to decompress the body"
    }
  }
}

/// What a client takes of an answer's coding, by its Accept-Encoding field (RFC 9110 section
/// 12.5.3).
public struct AcceptEncoding: Equatable, Sendable {
  /// gzip is taken, and not liked less than the answer as it is.
  public let prefersGzip: Bool
  /// gzip is taken.
  public let allowsGzip: Bool
  /// The answer as it is is taken.
  public let allowsIdentity: Bool

  /// - Parameter field: elements that are none of `coding;q=0.123` are passed over.
  public init(_ field: String?) {
    var (gzip, identity, any): (Int?, Int?, Int?) = (nil, nil, nil)
    Array((field ?? "").utf8).span.forEachListElement { element in
      let end = element.firstIndex(of: UInt8(ascii: ";")) ?? element.count
      let name = element.extracting(0..<end)
      let coding = name.extracting(name.trimmed)
      guard let quality = Self.quality(element.extracting(end..<element.count)) else { return }
      if coding.equalsIgnoringCase("gzip") || coding.equalsIgnoringCase("x-gzip") {
        gzip = max(gzip ?? 0, quality)
      } else if coding.equalsIgnoringCase("identity") {
        identity = max(identity ?? 0, quality)
      } else if coding.equalsIgnoringCase("*") {
        any = max(any ?? 0, quality)
      }
    }
    let gzipQuality = gzip ?? any ?? 0
    allowsGzip = gzipQuality > 0
    // As it is an answer is taken unless it is excluded, but liked only as much as is said.
    allowsIdentity = identity != 0 && (identity != nil || any != 0)
    prefersGzip = allowsGzip && gzipQuality >= identity ?? 0
  }

  /// `;q=` and up to three decimals, in thousandths; 1000 without any; nil if it is something else
  /// (RFC 9110 section 12.4.2).
  private static func quality(_ parameter: ByteSpan) -> Int? {
    if parameter.isEmpty { return 1000 }
    let rest = parameter.extracting(1..<parameter.count)
    let weight = rest.extracting(rest.trimmed)
    guard weight.count >= 3, weight.extracting(0..<2).equalsIgnoringCase("q="), weight.count <= 7
    else { return nil }
    var thousandths = 0
    for place in 0..<5 {
      let index = place + 2
      let byte = index < weight.count ? weight[index] : place == 1 ? UInt8(ascii: ".") : 0x30
      if place == 1 {
        guard byte == UInt8(ascii: ".") else { return nil }
      } else {
        guard byte.isDigit else { return nil }
        thousandths = thousandths * 10 + Int(byte - 0x30)
      }
    }
    return thousandths <= 1000 ? thousandths : nil
  }
}
