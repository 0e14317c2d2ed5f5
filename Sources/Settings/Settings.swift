public import EncoderContract

/// How the server is to run: defaults < file < environment < flags.
///
/// A property's value here is the default. `all` has a row for each.
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

  public static var allCases: [Self] { [.folder] + Pooling.allCases.map(Self.always) }

  public init?(rawValue: String) {
    guard let choice = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
    self = choice
  }

  public var rawValue: String { pooling?.rawValue ?? "folder" }

  /// Nil: the folder's.
  public var pooling: Pooling? {
    if case .always(let pooling) = self { pooling } else { nil }
  }
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
