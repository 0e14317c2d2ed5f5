public import EncoderContract

/// How the server is to run: defaults < file < environment < flags.
///
/// A property's value here is the default. `all`, below, has a row for each.
public struct Settings: Sendable, Equatable {
  // MARK: What is served
  /// One folder; the list is as long as there were flags.
  public var models = [ModelFolder(name: "all-MiniLM-L6-v2", path: "models/all-MiniLM-L6-v2")]
  /// Other names of the models.
  public var servedModelNames: [ServedName] = []
  public var precision = Precision.float32
  public var pooling = PoolingChoice.folder
  public var tokenizerRules = TokenizerRulesChoice.auto
  public var letterCase = LetterCase.auto
  /// A kernel set by name, or `auto`.
  public var kernels = "auto"
  /// Compute threads; 0: as many as the cgroup quota and the affinity mask allow.
  public var threads = 0

  // MARK: Where
  public var host = "127.0.0.1"
  /// 0: a free one.
  public var port = 8080
  /// Before every path; empty for none.
  public var basePath = ""
  /// Dispatch queues that sockets are served on.
  public var ioQueues = 2

  // MARK: Who may ask
  /// PEM files; empty: plain HTTP.
  public var tlsCertificate = ""
  public var tlsKey = ""
  /// PEM file of authorities; empty: clients need no certificate.
  public var tlsClientCA = ""
  /// File of API keys; empty: none are asked for.
  public var apiKeyFile = ""
  public var metricsAccess = MetricsAccess.key
  /// Origins whose pages may ask.
  public var corsOrigins: [String] = []

  // MARK: Requests
  /// Tokens of a text, special ones included; 0: the model folder's own limit.
  public var maxTokens = 0
  public var maxTexts = 2048
  /// For requests that bring no `timeout_ms`.
  public var requestTimeout = Duration.seconds(60)

  // MARK: Batches
  public var maxBatchTokens = PackedBatch.usualRows
  public var maxQueueTokens = 262_144
  public var batchMaxWait = Duration.zero

  // MARK: HTTP
  public var maxConnections = 1024
  /// 0: as many as there are.
  public var maxConnectionsPerAddress = 0
  public var maxTargetBytes = 8192
  public var maxHeaderBytes = 32_768
  public var maxHeaderCount = 100
  public var maxBodyBytes = 16 << 20
  public var maxOutputBytes = 256 << 20
  /// 0: from the memory limit.
  public var maxBufferedBytes = 0
  public var maxJSONDepth = 64
  public var compression = AnswerCompression.light
  public var headerTimeout = Duration.seconds(10)
  public var bodyTimeout = Duration.seconds(60)
  public var writeTimeout = Duration.seconds(60)
  public var idleTimeout = Duration.seconds(75)

  // MARK: Operation
  /// From the signal to the end of listening.
  public var drainTime = Duration.seconds(3)
  public var logLevel = LogLevel.info
  public var logFormat = LogFormat.text

  public init() {}
}

extension Settings {
  /// Every setting, once; config/SETTINGS.md, the default file and the flags are made of this.
  public static let all: [SettingDeclaration] = [
    .models(
      "model", \.models,
      "Model folder to serve, as DIR or NAME=DIR; the default name is the folder's, with - for "
        + "characters that a name cannot have"),
    .names(
      "served_model_name", \.servedModelNames,
      """
      Alias of the first model, or of MODEL as MODEL=NAME, for example text-embedding-ada-002; * \
      accepts any name
      """),
    .choice(
      "precision", \.precision,
      "Precision of matrix multiplication; lower ones are less exact, and faster on most CPUs"),
    .choice(
      "pooling", \.pooling,
      """
      Pooling of sentence_embedding, overriding the folder's; also for folders without \
      sentence-transformers modules; splade: a sparse_embedding in its place, of a masked-LM head
      """),
    .choice(
      "tokenizer_rules", \.tokenizerRules,
      "Tokenizer rules; auto: TensorFlow Text's for a SavedModel, else "
        + "Hugging Face's"),
    .choice(
      "letter_case", \.letterCase,
      """
      Whether to lower-case text, for folders without do_lower_case; auto: detected from an original \
      checkpoint's vocabulary, else lower-cased, with a warning at startup
      """),
    .text(
      "kernels", \.kernels,
      "Kernel set; auto: the preferred one for this CPU and precision; an unknown name lists them all"
    ),
    .integer(
      "threads", \.threads, 1...1024, zero: "as many as the CPU affinity and cgroup quota allow",
      "Number of compute threads"),

    .text("host", \.host, "Address to listen on; 0.0.0.0 for all IPv4 interfaces, :: for IPv6 too"),
    .integer(
      "port", \.port, 1...65_535, zero: "a free port, which is printed", "TCP port to listen on"),
    .path(
      "base_path", \.basePath,
      "Path prefix, for a proxy that does not strip it; paths without it are served too"),
    .integer("io_queues", \.ioQueues, 1...64, "Number of I/O queues that serve connections"),
    .text(
      "tls_certificate", \.tlsCertificate, empty: "plain HTTP",
      """
      PEM file with the server's certificate chain; enables TLS 1.2 and 1.3. Certificate and key are \
      reloaded when they change
      """),
    .text(
      "tls_key", \.tlsKey, empty: "plain HTTP",
      "PEM file with the private key of the certificate, without a passphrase"),
    .text(
      "tls_client_ca", \.tlsClientCA, empty: "client certificates are not required",
      "PEM file with CA certificates; clients must present a certificate signed by one of them"),
    .text(
      "api_key_file", \.apiKeyFile, empty: "no authentication",
      """
      File of API keys, one per line, # starts a comment; at least 8 bytes each; required on all \
      routes but GET / and health checks, else 401. Reloaded when it changes
      """),
    .choice(
      "metrics_access", \.metricsAccess,
      "Whether /metrics requires an API key, where there are any, or is public as /health is"),
    .origins(
      "cors_origins", \.corsOrigins,
      "Origins allowed to call from a browser (CORS), comma-separated or repeated; * for all"),

    .integer(
      "max_tokens", \.maxTokens, 2...1_048_576, zero: "the limit of the model folder",
      "Maximum tokens per text, special tokens included; max_tokens in a request overrides it"),
    .integer("max_texts", \.maxTexts, 1...1_000_000, "Maximum texts per request"),
    .seconds(
      "request_timeout_seconds", \.requestTimeout, 0.001...86_400,
      "Timeout of a request without timeout_ms; 504"),

    .integer(
      "max_batch_tokens", \.maxBatchTokens, 2...1_048_576,
      """
      Maximum tokens per batch; at least one text's. Larger batches are not faster, and make the \
      next text wait longer
      """),
    .integer(
      "max_queue_tokens", \.maxQueueTokens, 2...1_073_741_824,
      "Maximum tokens in the queue; a request that does not fit now gets 429, one that never could 422"
    ),
    .milliseconds(
      "batch_max_wait_ms", \.batchMaxWait, 0...1000,
      "How long to wait for more texts before encoding a batch that is not full"),

    .integer(
      "max_connections", \.maxConnections, 1...1_000_000, "Maximum open connections; more get 503"),
    .integer(
      "max_connections_per_address", \.maxConnectionsPerAddress, 1...1_000_000,
      zero: "max_connections",
      """
      Maximum open connections per IPv4 address or IPv6 /64 network; more get 429. Behind a proxy \
      all clients have one address
      """),
    .integer(
      "max_target_bytes", \.maxTargetBytes, 64...1_048_576,
      "Maximum size of path and query; 414"),
    .integer(
      "max_header_bytes", \.maxHeaderBytes, 1024...16_777_216,
      "Maximum size of the request headers; 431"),
    .integer(
      "max_header_count", \.maxHeaderCount, 1...10_000, "Maximum number of request headers; 431"),
    .integer(
      "max_body_bytes", \.maxBodyBytes, 1...1_099_511_627_776,
      "Maximum size of a request body, also once decompressed; 413"),
    .integer(
      "max_output_bytes", \.maxOutputBytes, 1...1_099_511_627_776, "Maximum size of a response; 413"
    ),
    .integer(
      "max_buffered_bytes", \.maxBufferedBytes, 16_777_216...1_099_511_627_776,
      zero: "the memory limit less what the models need",
      "Maximum memory held by all requests and responses together; 503"),
    .integer("max_json_depth", \.maxJSONDepth, 4...1000, "Maximum nesting depth of a JSON body"),
    .choice(
      "compression", \.compression,
      """
      Which responses to compress with gzip if Accept-Encoding asks for it; light: all but those with \
      a vector per token, which would take a third longer; all: those too
      """),
    .seconds(
      "header_timeout_seconds", \.headerTimeout, 0.001...86_400,
      "Timeout for reading the request headers; 408"),
    .seconds(
      "body_timeout_seconds", \.bodyTimeout, 0.001...86_400,
      "Timeout for reading the request body; 408"),
    .seconds(
      "write_timeout_seconds", \.writeTimeout, 0.001...86_400,
      "A client that reads nothing of its response for this long is disconnected"),
    .seconds(
      "idle_timeout_seconds", \.idleTimeout, 0.001...86_400,
      "Keep-alive timeout: a connection without a request is closed after this"),

    .seconds(
      "drain_seconds", \.drainTime, 0...86_400,
      """
      How long to serve new requests after SIGTERM, before finishing those in flight. Set it \
      longer than the load balancer takes to notice
      """),
    .choice("log_level", \.logLevel, "Minimum log level"),
    .choice("log_format", \.logFormat, "Log format: text for people, json for machines"),
  ]
}

/// A model folder and the name it is served under.
public struct ModelFolder: Sendable, Equatable {
  public var name: String
  public var path: String

  public init(name: String, path: String) {
    self.name = name
    self.path = path
  }
}

/// A further name of a model.
public struct ServedName: Sendable, Equatable {
  /// The model's own name; nil: the first model's.
  public var model: String?
  /// `*`: every name that no model has.
  public var name: String

  public init(model: String? = nil, name: String) {
    self.model = model
    self.name = name
  }
}

/// How token vectors become a `sentence_embedding`.
public enum PoolingChoice: RawRepresentable, CaseIterable, Equatable, Sendable {
  /// The folder's modules decide.
  case folder
  case always(Pooling)
  /// A `sparse_embedding` in its place.
  case splade

  public static var allCases: [Self] {
    [.folder] + Pooling.allCases.map(Self.always) + [.splade]
  }

  public init?(rawValue: String) {
    guard let choice = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
    self = choice
  }

  public var rawValue: String {
    switch self {
    case .folder: "folder"
    case .always(let pooling): pooling.rawValue
    case .splade: "splade"
    }
  }

  /// Nil: the folder's.
  public var pooling: Pooling? {
    if case .always(let pooling) = self { pooling } else { nil }
  }

  /// Nil: the folder's.
  public var sparse: SparsePooling? { if case .splade = self { SparsePooling() } else { nil } }
}

/// The arithmetic of the products.
public enum Precision: String, CaseIterable, Sendable {
  case float32, bfloat16, int8
}

/// Who may read `/metrics` where API keys are asked for.
public enum MetricsAccess: String, CaseIterable, Sendable {
  case key
  case open
}

/// Which answers are compressed for clients that take it.
public enum AnswerCompression: String, CaseIterable, Sendable {
  case off
  /// Where it costs next to nothing beside the encoding.
  case light
  /// All JSON.
  case all
}

/// Whose rules text is split into tokens by.
public enum TokenizerRulesChoice: String, CaseIterable, Sendable {
  /// The folder's format decides.
  case auto
  case huggingFace = "hugging-face"
  case tensorFlow = "tensorflow"
}

/// What is done to the letters of texts where a folder does not say it.
public enum LetterCase: String, CaseIterable, Sendable {
  /// What its vocabulary looks like, or its framework's default.
  case auto
  case lower
  case keep
}

/// swift-log's levels.
public enum LogLevel: String, CaseIterable, Sendable {
  case trace, debug, info, notice, warning, error, critical
}

public enum LogFormat: String, CaseIterable, Sendable {
  /// A line for people.
  case text
  /// A JSON object a line.
  case json
}
