import ArgumentParser
import FoundationEssentials
import Models
import Settings

/// The flags of `serve`: one for each row of the settings table, which has their meanings, values
/// and defaults. They are kept as they were typed: the table reads them.
struct SettingFlags: ParsableArguments {
  @Option(help: "Settings file. Default: BERT_SERVER_CONFIG.")
  var config: String?

  @Option(help: help("model"))
  var model: [String] = []

  @Option(help: help("served_model_name"))
  var servedModelName: [String] = []

  @Option(help: help("precision"))
  var precision: [String] = []

  @Option(help: help("pooling"))
  var pooling: [String] = []

  @Option(help: help("tokenizer_rules"))
  var tokenizerRules: [String] = []

  @Option(help: help("letter_case"))
  var letterCase: [String] = []

  @Option(help: help("kernels"))
  var kernels: [String] = []

  @Option(help: help("threads"))
  var threads: [String] = []

  @Option(help: help("host"))
  var host: [String] = []

  @Option(help: help("port"))
  var port: [String] = []

  @Option(help: help("base_path"))
  var basePath: [String] = []

  @Option(help: help("io_queues"))
  var ioQueues: [String] = []

  @Option(help: help("tls_certificate"))
  var tlsCertificate: [String] = []

  @Option(help: help("tls_key"))
  var tlsKey: [String] = []

  @Option(name: .customLong("tls-client-ca"), help: help("tls_client_ca"))
  var tlsClientCA: [String] = []

  @Option(help: help("api_key_file"))
  var apiKeyFile: [String] = []

  @Option(help: help("metrics_access"))
  var metricsAccess: [String] = []

  @Option(help: help("cors_origins"))
  var corsOrigins: [String] = []

  @Option(help: help("max_tokens"))
  var maxTokens: [String] = []

  @Option(help: help("max_texts"))
  var maxTexts: [String] = []

  @Option(help: help("request_timeout_seconds"))
  var requestTimeoutSeconds: [String] = []

  @Option(help: help("max_batch_tokens"))
  var maxBatchTokens: [String] = []

  @Option(help: help("max_queue_tokens"))
  var maxQueueTokens: [String] = []

  @Option(help: help("batch_max_wait_ms"))
  var batchMaxWaitMs: [String] = []

  @Option(help: help("max_connections"))
  var maxConnections: [String] = []

  @Option(help: help("max_connections_per_address"))
  var maxConnectionsPerAddress: [String] = []

  @Option(help: help("max_target_bytes"))
  var maxTargetBytes: [String] = []

  @Option(help: help("max_header_bytes"))
  var maxHeaderBytes: [String] = []

  @Option(help: help("max_header_count"))
  var maxHeaderCount: [String] = []

  @Option(help: help("max_body_bytes"))
  var maxBodyBytes: [String] = []

  @Option(help: help("max_buffered_bytes"))
  var maxBufferedBytes: [String] = []

  @Option(help: help("max_output_bytes"))
  var maxOutputBytes: [String] = []

  @Option(help: help("max_json_depth"))
  var maxJsonDepth: [String] = []

  @Option(help: help("compression"))
  var compression: [String] = []

  @Option(help: help("header_timeout_seconds"))
  var headerTimeoutSeconds: [String] = []

  @Option(help: help("body_timeout_seconds"))
  var bodyTimeoutSeconds: [String] = []

  @Option(help: help("write_timeout_seconds"))
  var writeTimeoutSeconds: [String] = []

  @Option(help: help("idle_timeout_seconds"))
  var idleTimeoutSeconds: [String] = []

  @Option(help: help("drain_seconds"))
  var drainSeconds: [String] = []

  @Option(help: help("log_level"))
  var logLevel: [String] = []

  @Option(help: help("log_format"))
  var logFormat: [String] = []

  /// Flags as typed, by name; the settings table holds the same names.
  var given: [String: [String]] {
    [
      "--model": model,
      "--served-model-name": servedModelName,
      "--precision": precision,
      "--pooling": pooling,
      "--tokenizer-rules": tokenizerRules,
      "--letter-case": letterCase,
      "--kernels": kernels,
      "--threads": threads,
      "--host": host,
      "--port": port,
      "--base-path": basePath,
      "--io-queues": ioQueues,
      "--tls-certificate": tlsCertificate,
      "--tls-key": tlsKey,
      "--tls-client-ca": tlsClientCA,
      "--api-key-file": apiKeyFile,
      "--metrics-access": metricsAccess,
      "--cors-origins": corsOrigins,
      "--max-tokens": maxTokens,
      "--max-texts": maxTexts,
      "--request-timeout-seconds": requestTimeoutSeconds,
      "--max-batch-tokens": maxBatchTokens,
      "--max-queue-tokens": maxQueueTokens,
      "--batch-max-wait-ms": batchMaxWaitMs,
      "--max-connections": maxConnections,
      "--max-connections-per-address": maxConnectionsPerAddress,
      "--max-target-bytes": maxTargetBytes,
      "--max-header-bytes": maxHeaderBytes,
      "--max-header-count": maxHeaderCount,
      "--max-body-bytes": maxBodyBytes,
      "--max-buffered-bytes": maxBufferedBytes,
      "--max-output-bytes": maxOutputBytes,
      "--max-json-depth": maxJsonDepth,
      "--compression": compression,
      "--header-timeout-seconds": headerTimeoutSeconds,
      "--body-timeout-seconds": bodyTimeoutSeconds,
      "--write-timeout-seconds": writeTimeoutSeconds,
      "--idle-timeout-seconds": idleTimeoutSeconds,
      "--drain-seconds": drainSeconds,
      "--log-level": logLevel,
      "--log-format": logFormat,
    ]
  }

  func resolve(environment: [String: String]) throws -> Settings {
    try Settings.resolve(config: config, environment: environment, flags: given)
  }
}

extension Settings {
  /// - Parameter config: path of the settings file; the environment's when not given.
  /// - Throws: `SettingsError`, or `LoadingError` if the file cannot be read.
  static func resolve(
    config: String?, environment: [String: String], flags: [String: [String]] = [:]
  ) throws -> Settings {
    var file: (path: String, bytes: [UInt8])?
    if let path = config ?? environment[fileVariable] {
      guard let bytes = FileManager.default.contents(atPath: path) else {
        throw LoadingError("the settings file \(path) cannot be read")
      }
      file = (path, Array(bytes))
    }
    return try resolve(file: file, environment: environment, flags: flags)
  }
}

private func help(_ key: String) -> ArgumentHelp {
  guard let setting = Settings.all.first(where: { $0.key == key }) else {
    preconditionFailure("there is no setting \(key)")
  }
  let defaults = setting.defaultValues.joined(separator: ",")
  return ArgumentHelp(
    "\(setting.documentation). Values: \(setting.values). Default: \(defaults)",
    valueName: key == "model" ? "name=dir" : "value")
}
