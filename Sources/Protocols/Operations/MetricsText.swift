import Batching
import Encoding
import HTTP
import HTTPTypes
import Serving

/// Prometheus' text format, version 0.0.4.
struct MetricsText {
  private(set) var text = ""

  mutating func family(_ name: String, _ kind: String, help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
  }

  mutating func sample(_ name: String, _ value: Double) { sample(name, [:], value) }

  mutating func sample(_ name: String, _ labels: KeyValuePairs<String, String>, _ value: Double) {
    text += name
    if !labels.isEmpty {
      let pairs = labels.map { "\($0.key)=\"\(Self.escape($0.value))\"" }
      text += "{" + pairs.joined(separator: ",") + "}"
    }
    text += " " + Self.number(value) + "\n"
  }

  /// A family of one sample.
  mutating func single(_ name: String, _ kind: String, help: String, _ value: Double) {
    family(name, kind, help: help)
    sample(name, value)
  }

  mutating func histogram(_ name: String, help: String, _ histogram: Metrics.Histogram) {
    buckets(name, help: help, histogram.bounds, histogram.counts)
    sample("\(name)_sum", histogram.sum)
  }

  /// - Parameter counts: observations up to each bound, and past the last.
  private mutating func buckets(
    _ name: String, help: String, _ bounds: [Double], _ counts: [Int]
  ) {
    family(name, "histogram", help: help)
    var total = 0
    for (bound, count) in zip(bounds.map(Self.number) + ["+Inf"], counts) {
      total += count
      sample("\(name)_bucket", ["le": bound], Double(total))
    }
    sample("\(name)_count", Double(total))
  }

  private static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : value.description
  }

  private static func escape(_ label: String) -> String {
    var escaped = ""
    for character in label {
      switch character {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.append(character)
      }
    }
    return escaped
  }
}

extension OperationsRoutes {
  /// `GET /metrics`.
  func answerMetrics(_ exchange: Exchange) {
    var text = MetricsText()
    writeRequests(exchange.service.metrics.snapshot, to: &text)
    text.family("bert_build_info", "gauge", help: "The program.")
    text.sample("bert_build_info", ["version": exchange.service.process.version], 1)
    if let models = try? models.all() {
      writeQueue(models[0].queue.statistics, to: &text)
      text.family("bert_model_info", "gauge", help: "The models and how they are computed.")
      for model in models {
        let facts = Dictionary(model.facts.map { ($0.name, $0.value) }) { $1 }
        text.sample(
          "bert_model_info",
          [
            "model": model.name, "kernels": facts["kernels"] ?? "",
            "precision": facts["precision"] ?? "", "version": exchange.service.process.version,
          ], 1)
      }
    }
    for measurement in exchange.service.process.measurements {
      text.single(
        measurement.name, measurement.kind.rawValue, help: measurement.help, measurement.value())
    }
    exchange.answer(
      Response(
        status: .ok, fields: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
        body: .bytes(Array(text.text.utf8))))
  }

  /// text-embeddings-inference's word for a failure after the texts were read.
  private static func failure(_ status: Int) -> String {
    switch status {
    case 429: "overloaded"
    case 413: "batch_size"
    case 400, 422: "validation"
    case 504: "timeout"
    case 503: "unhealthy"
    default: "inference"
    }
  }

  private func writeRequests(_ snapshot: Metrics.Snapshot, to text: inout MetricsText) {
    text.family("te_request_count", "counter", help: "Requests for vectors.")
    text.sample("te_request_count", ["method": "single"], Double(snapshot.single.asked))
    text.sample("te_request_count", ["method": "batch"], Double(snapshot.batch.asked))
    text.family("te_request_success", "counter", help: "Requests for vectors that got them.")
    text.sample("te_request_success", ["method": "single"], Double(snapshot.single.answered))
    text.sample("te_request_success", ["method": "batch"], Double(snapshot.batch.answered))
    let stages: KeyValuePairs<String, String> = [
      "te_request_duration": "Seconds from a request's first byte to its answer.",
      "te_request_tokenization_duration": "Seconds spent parsing and tokenizing.",
      "te_request_queue_duration": "Seconds that a request's texts waited, at most.",
      "te_request_inference_duration": "Seconds of the passes that a request's texts were in.",
      "bert_request_serialize_duration": "Seconds spent writing an answer's first piece.",
    ]
    for ((name, help), histogram) in zip(stages, snapshot.stages) {
      text.histogram(name, help: help, histogram)
    }
    text.histogram(
      "te_request_input_length", help: "Tokens of a text, padding included.", snapshot.lengths)
    text.family("te_request_failure", "counter", help: "Requests for vectors that failed.")
    let failures = Dictionary(
      snapshot.failures.map { (Self.failure($0.key), $0.value) }, uniquingKeysWith: +)
    for (failure, count) in failures.sorted(by: { $0.key < $1.key }) {
      text.sample("te_request_failure", ["err": failure], Double(count))
    }
    text.family("bert_http_requests_total", "counter", help: "Requests by route and status.")
    for (key, count) in snapshot.requests.sorted(by: { "\($0.key)" < "\($1.key)" }) {
      text.sample(
        "bert_http_requests_total",
        ["method": key.method, "route": key.route, "status": String(key.status)], Double(count))
    }
    text.family(
      "bert_http_malformed_total", "counter",
      help: "Requests not read to their end, or not answered.")
    for (status, count) in snapshot.malformed.sorted(by: { $0.key < $1.key }) {
      text.sample("bert_http_malformed_total", ["status": String(status)], Double(count))
    }
    text.single(
      "bert_texts_total", "counter", help: "Texts asked for.", Double(snapshot.texts))
    text.single(
      "bert_tokens_total", "counter", help: "Positions asked for, padding included.",
      Double(snapshot.tokens))
    text.single(
      "bert_truncated_texts_total", "counter", help: "Texts cut to the limit of tokens.",
      Double(snapshot.truncated))
    text.single(
      "bert_ignored_members_total", "counter",
      help: "Members of bodies and queries that had no effect.",
      Double(snapshot.ignored))
  }
}

extension OperationsRoutes {
  private func writeQueue(_ statistics: BatchStatistics, to text: inout MetricsText) {
    text.single(
      "te_queue_size", "gauge", help: "Texts that wait.", Double(statistics.queuedSequences))
    text.single(
      "bert_queue_tokens", "gauge", help: "Tokens that wait.", Double(statistics.queuedTokens))
    text.single(
      "bert_queue_oldest_seconds", "gauge", help: "Age of the oldest unanswered request.",
      statistics.oldestAge?.seconds ?? 0)
    text.single(
      "bert_running_batches", "gauge", help: "Passes under way.",
      Double(statistics.runningBatches))
    text.single(
      "bert_encode_tokens_per_second", "gauge", help: "Rows encoded per second of busy time.",
      statistics.tokensPerSecond ?? 0)
    text.single(
      "bert_batch_fill_ratio", "gauge", help: "Mean share of the token budget that passes used.",
      statistics.batchFill ?? 0)
    let counters: KeyValuePairs<String, (String, Int)> = [
      "bert_batches_total": ("Finished passes.", statistics.batches),
      "bert_encoded_texts_total": ("Texts of finished passes.", statistics.sequences),
      "bert_encoded_rows_total": ("Rows of finished passes.", statistics.rows),
      "bert_padding_rows_avoided_total": (
        "Rows that padding each pass to its longest text would have added.",
        statistics.paddingRowsAvoided
      ),
      "bert_cancelled_requests_total": (
        "Requests whose client was gone before the answer.", statistics.requestsCancelled
      ),
      "bert_expired_requests_total": (
        "Requests whose deadline passed.", statistics.requestsExpired
      ),
      "bert_rejected_requests_total": (
        "Requests that found the queue full.", statistics.requestsRejected
      ),
      "bert_failed_requests_total": (
        "Requests whose pass failed.", statistics.requestsFailed
      ),
      "bert_dropped_tokens_total": (
        "Tokens whose request was gone before their pass.", statistics.tokensDropped
      ),
      "bert_wasted_rows_total": (
        "Rows of passes whose request was gone by their end.", statistics.rowsWasted
      ),
    ]
    for (name, (help, value)) in counters {
      text.single(name, "counter", help: help, Double(value))
    }
    text.sizes("te_batch_next_size", help: "Texts of a pass.", statistics.batchSequences)
    text.sizes("te_batch_next_tokens", help: "Tokens of a pass.", statistics.batchRows)
  }
}

extension MetricsText {
  fileprivate mutating func sizes(_ name: String, help: String, _ sizes: SizeHistogram) {
    buckets(name, help: help, sizes.upperBounds.map(Double.init), sizes.counts)
    sample("\(name)_sum", Double(sizes.sum))
  }
}
