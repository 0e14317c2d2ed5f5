/// What a client may ask of the server: sizes in bytes, and how long it may take. What is a setting
/// has its default in `Settings`.
public struct ServerLimits: Equatable, Sendable {
  /// Open connections. One more takes the place of the one that has been idle longest of those on
  /// its queue; if none is idle, it gets 503, unless it asks for the process's health.
  public var maxConnections: Int
  /// Those of one IPv4 address or IPv6 /64 network; one more is told 429 and closed.
  public var maxConnectionsPerAddress: Int
  /// The request target (path and query). Longer: 414.
  public var maxTargetBytes: Int
  /// One header field line. Longer: 431.
  public var maxFieldBytes: Int
  /// All header field lines of a request, or all its trailer lines. Longer: 431.
  public var maxHeaderBytes: Int
  /// Header fields of a request. More: 431.
  public var maxHeaderCount: Int
  /// The request body as sent. Longer: 413.
  public var maxBodyBytes: Int

  /// From the first byte of a request to the end of its head, however the bytes trickle in. Also
  /// from accepting a connection to its first byte. Later: 408 (nothing, if no byte came).
  public var headerTimeout: Duration
  /// From the end of the head to the end of the body. Later: 408.
  public var bodyTimeout: Duration
  /// Between two requests of a connection. Later: closed without a word.
  public var idleTimeout: Duration
  /// Without the client taking one byte of an answer. Later: broken off.
  public var writeTimeout: Duration
  /// How long what a client still sends is thrown away after its last answer, so that it can read
  /// that answer (RFC 9112 section 9.6).
  public var lingerTimeout = Duration.seconds(2)

  public init(
    maxConnections: Int, maxConnectionsPerAddress: Int = .max, maxTargetBytes: Int,
    maxFieldBytes: Int, maxHeaderBytes: Int, maxHeaderCount: Int, maxBodyBytes: Int,
    headerTimeout: Duration, bodyTimeout: Duration, idleTimeout: Duration, writeTimeout: Duration
  ) {
    self.maxConnections = maxConnections
    self.maxConnectionsPerAddress = maxConnectionsPerAddress
    self.maxTargetBytes = maxTargetBytes
    self.maxFieldBytes = maxFieldBytes
    self.maxHeaderBytes = maxHeaderBytes
    self.maxHeaderCount = maxHeaderCount
    self.maxBodyBytes = maxBodyBytes
    self.headerTimeout = headerTimeout
    self.bodyTimeout = bodyTimeout
    self.idleTimeout = idleTimeout
    self.writeTimeout = writeTimeout
  }
}

extension ServerLimits {
  /// The most that is thrown away while lingering.
  static let maxLingerBytes = 64 * 1024 * 1024
  /// A refused request's body up to this size is read and thrown away to keep the connection.
  static let maxDiscardedBody = 65536
  /// Empty lines tolerated before a request line (RFC 9112 section 2.2).
  static let maxBlankLines = 4
  /// The longest method; a longer one is none we know.
  static let maxMethodBytes = 32
  /// Chunk extensions of a request together (RFC 9112 section 7.1.1).
  static let maxChunkExtensionBytes = 4096
  /// How long a connection over the limit may take to ask for the process's health.
  static let restrictedTimeout = Duration.seconds(1)
  /// Connections over the limit that are open at a time; a further one takes the oldest one's place.
  static let maxRestricted = 64
  /// What every connection may hold of a request's head without counting against the budget.
  static let uncountedBytes = 4096
  /// Of a connection's answers, in the kernel's hands.
  static let maxUnsentKernelBytes: Int32 = 65536
  /// A client that sends requests ahead takes its answers before the next one is read.
  static let maxUnsentBeforeNextRequest = 8192
  /// Bytes of answers waiting for the client, above which nothing more is produced.
  static let outputLowWater = 65536
}
