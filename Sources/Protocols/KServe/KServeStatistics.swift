import Encoding
import HTTP
import JSON
import Serving

extension KServeRoutes {
  /// `GET /v2/models/stats` of all models, `GET /v2/models/{model}/stats` of one.
  func statistics(_ exchange: Exchange) {
    do throws(ServiceError) {
      let models =
        exchange.parameters["model"] == nil ? try models.all() : [try kserveModel(exchange)]
      let counts = exchange.service.metrics.snapshot.models
      var writer = JSONWriter()
      writer.beginObject()
      writer.key("model_stats")
      writer.beginArray()
      for model in models { writer.statistics(of: model, counts[model.name] ?? .init()) }
      writer.endArray()
      writer.endObject()
      exchange.answer(.json(writer.bytes))
    } catch {
      exchange.fail(error)
    }
  }
}

extension JSONWriter {
  /// Triton's statistics extension: counts of requests, and nanoseconds of all together.
  fileprivate mutating func statistics(of model: ServedModel, _ counts: Metrics.ModelCounts) {
    beginObject()
    key("name")
    string(model.name)
    key("version")
    string(ServedModel.version)
    for (name, value) in [
      ("last_inference", counts.lastAnswer), ("inference_count", counts.texts),
      ("execution_count", counts.answered),
    ] {
      key(name)
      integer(value)
    }
    key("inference_stats")
    beginObject()
    let stages: KeyValuePairs<String, (Int, Duration)> = [
      "success": (counts.answered, counts.stages.total), "fail": (counts.failed, .zero),
      "queue": (counts.answered, counts.stages.queue),
      "compute_input": (counts.answered, counts.stages.tokenize),
      "compute_infer": (counts.answered, counts.stages.encode),
      "compute_output": (counts.answered, counts.stages.serialize), "cache_hit": (0, .zero),
      "cache_miss": (0, .zero),
    ]
    for (name, (count, duration)) in stages {
      key(name)
      beginObject()
      key("count")
      integer(count)
      key("ns")
      integer(Int(duration.seconds * 1e9))
      endObject()
    }
    endObject()
    key("batch_stats")
    beginArray()
    endArray()
    endObject()
  }
}
