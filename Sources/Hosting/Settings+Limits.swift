public import HTTP
public import Service
public import Settings

/// The settings as the modules know them.
extension Settings {
  public var serviceLimits: ServiceLimits {
    var limits = ServiceLimits()
    limits.texts = maxTexts
    limits.bodyBytes = maxBodyBytes
    limits.outputBytes = maxOutputBytes
    limits.jsonDepth = maxJSONDepth
    limits.requestTimeout = requestTimeout
    return limits
  }

  public var responseHeaders: ResponseHeaders {
    var responseHeaders = ResponseHeaders()
    responseHeaders.compressed =
      switch compression {
      case .off: .none
      case .light: .light
      case .all: .all
      }
    responseHeaders.crossOrigin = CrossOrigin(origins: corsOrigins)
    return responseHeaders
  }

  public var serverLimits: ServerLimits {
    var limits = ServerLimits()
    limits.maxConnections = maxConnections
    if maxConnectionsPerAddress > 0 { limits.maxConnectionsPerAddress = maxConnectionsPerAddress }
    limits.maxTargetBytes = maxTargetBytes
    limits.maxHeaderBytes = maxHeaderBytes
    limits.maxFieldBytes = maxHeaderBytes
    limits.maxHeaderCount = maxHeaderCount
    limits.maxBodyBytes = maxBodyBytes
    limits.headerTimeout = headerTimeout
    limits.bodyTimeout = bodyTimeout
    limits.writeTimeout = writeTimeout
    limits.idleTimeout = idleTimeout
    return limits
  }

  /// What `/info` tells of them.
  public var publishedLimits: [(name: String, value: Int)] {
    [
      ("max_texts", maxTexts), ("max_batch_tokens", maxBatchTokens),
      ("max_queue_tokens", maxQueueTokens), ("max_body_bytes", maxBodyBytes),
      ("max_output_bytes", maxOutputBytes), ("max_connections", maxConnections),
    ]
  }
}
