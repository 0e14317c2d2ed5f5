import Encoding
import JSON

extension JSONWriter {
  /// TensorFlow Serving's GetModelStatusResponse.
  mutating func modelVersionStatus() {
    key("model_version_status")
    beginArray()
    beginObject()
    key("version")
    string(ServedModel.version)
    key("state")
    string("AVAILABLE")
    key("status")
    beginObject()
    key("error_code")
    string("OK")
    key("error_message")
    string("")
    endObject()
    endObject()
    endArray()
  }
}
