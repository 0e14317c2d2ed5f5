extension Settings {
  /// Every setting, once; config/SETTINGS.md, the default file and the flags are made of this.
  public static let all: [SettingDeclaration] = [
    .models(
      "model", \.models,
      "Model folder to serve, as DIR or NAME=DIR; without a name it is the folder's, with - for what "
        + "may not stand in a name"),
    .names(
      "served_model_name", \.servedModelNames,
      """
      Another name that the first model, or with MODEL=NAME that one, answers to and is listed under, \
      as text-embedding-ada-002; * is every name
      """),
    .choice(
      "precision", \.precision,
      "Arithmetic of the matrix products; the lower, the faster and the less exact"),
    .choice(
      "pooling", \.pooling,
      """
      How token vectors become a sentence_embedding, instead of the folder's way; also for folders \
      without sentence-transformers modules
      """),
    .choice(
      "tokenizer_rules", \.tokenizerRules,
      "Whose tokens a vocab.txt gives; auto is TensorFlow Text's for a SavedModel, else "
        + "Hugging Face's"),
    .choice(
      "letter_case", \.letterCase,
      """
      Whether texts are lower-cased, for folders that do not say do_lower_case; auto is by the look \
      of an original checkpoint's vocabulary, else true, and the start says so
      """),
    .text(
      "kernels", \.kernels,
      "Kernel set to use; auto is the fastest of this CPU and precision, an unknown name lists them"
    ),
    .integer(
      "threads", \.threads, 1...1024, zero: "what cgroup quota and CPU affinity allow",
      "Compute threads"),

    .text("host", \.host, "Address to listen on; 0.0.0.0 is all IPv4 interfaces, :: all"),
    .integer("port", \.port, 1...65_535, zero: "a free one, printed", "TCP port to listen on"),
    .path(
      "base_path", \.basePath,
      "Prefix of every path behind a proxy that does not take it off; paths without it stay too"),
    .integer("io_queues", \.ioQueues, 1...64, "Queues that serve sockets"),
    .text(
      "tls_certificate", \.tlsCertificate, empty: "plain HTTP",
      """
      PEM file of the server's certificate and its chain: the port speaks TLS 1.2 and 1.3. Read \
      again when it changes, as the key is
      """),
    .text(
      "tls_key", \.tlsKey, empty: "plain HTTP",
      "PEM file of the certificate's private key, without a password"),
    .text(
      "tls_client_ca", \.tlsClientCA, empty: "clients need no certificate",
      "PEM file of authorities; a client must show a certificate of one of them"),
    .text(
      "api_key_file", \.apiKeyFile, empty: "no keys are asked for",
      """
      File of API keys, one a line, # starts a comment; all routes but / and /health ask for one, 401. \
      Read again when it changes
      """),
    .choice(
      "metrics_access", \.metricsAccess,
      "Whether /metrics asks for an API key too, where there are any, or is open as /health is"),
    .origins(
      "cors_origins", \.corsOrigins,
      "Origins whose pages may ask from a browser (CORS), with commas or repeated; * is all of them"
    ),

    .integer(
      "max_tokens", \.maxTokens, 2...1_048_576, zero: "the model folder's limit",
      "Most tokens of a text, special ones included; a request's max_tokens goes before it"),
    .integer("max_texts", \.maxTexts, 1...1_000_000, "Most texts of a request"),
    .seconds(
      "request_timeout_seconds", \.requestTimeout, 0.001...86_400,
      "A request without timeout_ms is given up after this, 504"),

    .integer(
      "max_batch_tokens", \.maxBatchTokens, 2...1_048_576,
      """
      Most tokens that are encoded together; at least those of the longest text. More is not \
      faster, and the next text waits longer
      """),
    .integer(
      "max_queue_tokens", \.maxQueueTokens, 2...1_073_741_824,
      "Most tokens that wait; a request that does not fit is refused, 429"),
    .milliseconds(
      "batch_max_wait_ms", \.batchMaxWait, 0...1000,
      "How long a lone text waits for others to be encoded with"),

    .integer("max_connections", \.maxConnections, 1...1_000_000, "Most open connections, 503"),
    .integer(
      "max_connections_per_address", \.maxConnectionsPerAddress, 1...1_000_000,
      zero: "max_connections",
      """
      Most open connections of one IPv4 address or IPv6 /64 network, 429; behind a proxy all have \
      one
      """),
    .integer(
      "max_target_bytes", \.maxTargetBytes, 64...1_048_576,
      "Most bytes of a request's path and query, 414"),
    .integer(
      "max_header_bytes", \.maxHeaderBytes, 1024...16_777_216,
      "Most bytes of a request's header, 431"),
    .integer(
      "max_header_count", \.maxHeaderCount, 1...10_000, "Most fields of a request's header, 431"),
    .integer(
      "max_body_bytes", \.maxBodyBytes, 1...1_099_511_627_776,
      "Most bytes of a request's body, 413; decompressed ones too"),
    .integer(
      "max_output_bytes", \.maxOutputBytes, 1...1_099_511_627_776, "Most bytes of an answer, 413"),
    .integer(
      "max_buffered_bytes", \.maxBufferedBytes, 16_777_216...1_099_511_627_776,
      zero: "what the memory limit leaves beside the models",
      "Most bytes of memory that all requests and answers may hold together, 503"),
    .integer("max_json_depth", \.maxJSONDepth, 4...1000, "Deepest nesting of a JSON body"),
    .choice(
      "compression", \.compression,
      """
      Answers that are compressed (gzip) if Accept-Encoding asks for it; light: all but those with \
      vectors of every token, which take a third longer compressed; all: these too
      """),
    .seconds(
      "header_timeout_seconds", \.headerTimeout, 0.001...86_400,
      "A header that is not complete after this is answered 408"),
    .seconds(
      "body_timeout_seconds", \.bodyTimeout, 0.001...86_400,
      "A body that is not complete after this is answered 408"),
    .seconds(
      "write_timeout_seconds", \.writeTimeout, 0.001...86_400,
      "A client that takes nothing of its answer for this long is cut off"),
    .seconds(
      "idle_timeout_seconds", \.idleTimeout, 0.001...86_400,
      "A connection without a request is closed after this"),

    .seconds(
      "drain_seconds", \.drainTime, 0...86_400,
      """
      How long new connections are still served after SIGTERM; then what is in flight is finished. \
      Longer than the load balancer needs to learn of the stop
      """),
    .choice("log_level", \.logLevel, "Least level that is logged"),
    .choice("log_format", \.logFormat, "Log lines for people or for machines"),
  ]
}
