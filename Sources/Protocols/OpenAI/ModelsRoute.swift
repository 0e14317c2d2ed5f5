import Encoding
import HTTP
import JSON
import Serving

/// `/v1/models` and `/v1/models/{model}`: claimed by OpenAI, KServe v1 and TensorFlow Serving. Each
/// reads its own members of one object.
extension OpenAIRoutes {
  /// `GET /v1/models`.
  func listModels(_ exchange: Exchange) {
    do throws(ServiceError) {
      let models = try models.all()
      var writer = JSONWriter()
      writer.beginObject()
      writer.key("object")
      writer.string("list")
      writer.key("data")
      writer.beginArray()
      let names = models.listedNames
      for name in names { writer.model(name, since: exchange.service.startedAt) }
      writer.endArray()
      writer.key("models")
      writer.beginArray()
      for name in names { writer.string(name) }
      writer.endArray()
      writer.endObject()
      exchange.answer(.json(writer.bytes))
    } catch {
      exchange.fail(error)
    }
  }

  /// `GET /v1/models/{model}`.
  func describeModel(_ exchange: Exchange) {
    do throws(ServiceError) {
      let asked = exchange.parameters["model"] ?? ""
      let model = try models.named(asked, in: exchange)
      let name = model.aliases.first { RawText($0) == asked } ?? model.name
      var writer = JSONWriter()
      writer.model(name, since: exchange.service.startedAt)
      exchange.answer(.json(writer.bytes))
    } catch {
      exchange.fail(error)
    }
  }
}

extension JSONWriter {
  fileprivate mutating func model(_ name: String, since created: Int) {
    beginObject()
    key("id")
    string(name)
    key("object")
    string("model")
    key("created")
    integer(created)
    key("owned_by")
    string("bert-server")
    key("name")
    string(name)
    key("ready")
    boolean(true)
    modelVersionStatus()
    endObject()
  }
}
