public import HTTP
public import Serving
public import Settings

/// The settings as the modules know them.
extension Settings {
  public var serviceLimits: ServiceLimits {
    ServiceLimits(
      texts: maxTexts, bodyBytes: maxBodyBytes, outputBytes: maxOutputBytes,
      jsonDepth: maxJSONDepth, requestTimeout: requestTimeout)
  }

  public var compressedAnswers: CompressedAnswers {
    switch compression {
    case .off: .none
    case .light: .light
    case .all: .all
    }
  }

  public var serverLimits: ServerLimits {
    ServerLimits(
      maxConnections: maxConnections,
      maxConnectionsPerAddress: maxConnectionsPerAddress > 0 ? maxConnectionsPerAddress : .max,
      maxTargetBytes: maxTargetBytes, maxFieldBytes: maxHeaderBytes,
      maxHeaderBytes: maxHeaderBytes, maxHeaderCount: maxHeaderCount, maxBodyBytes: maxBodyBytes,
      headerTimeout: headerTimeout, bodyTimeout: bodyTimeout, idleTimeout: idleTimeout,
      writeTimeout: writeTimeout)
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
