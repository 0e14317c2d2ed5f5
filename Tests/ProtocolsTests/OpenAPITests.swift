import HTTPTypes
import JSON
import Testing

@testable import Encoding
@testable import Protocols
@testable import Serving

@Suite struct OpenAPITests {
  private static let routes = Router(.all(ServedModels())).routes
  private let document = OpenAPIDocument(
    routes: routes, version: "1", modelVersion: "1", models: ["a", "b"]
  ).value

  @Test func everyRouteIsThere() throws {
    for route in Self.routes {
      let operation = try #require(
        document["paths"]?[route.path]?[route.method.rawValue.lowercased()], "\(route.path)")
      guard case .array(let parameters)? = operation["parameters"] else {
        Issue.record("\(route.path) has no list of parameters")
        continue
      }
      let names = parameters.compactMap { $0["name"] }
      for name in route.places + route.documentation.queryNames.map(\.string) {
        #expect(names.contains(.string(name)), "\(route.path)")
      }
      let bodies = operation["requestBody"]?["content"]
      for type in route.accepts { #expect(bodies?[type.name] != nil, "\(route.path)") }
    }
  }

  @Test func modelsAreNamed() {
    guard
      case .array(let parameters)? = document["paths"]?["/v2/models/{model}"]?["get"]?["parameters"]
    else {
      Issue.record("no parameters")
      return
    }
    #expect(parameters.first?["schema"]?["enum"] == ["a", "b"])
  }

  /// The failures of a route have its protocol's shape and status.
  @Test func failuresAreThoseOfTheProtocol() {
    func failures(_ path: String) -> JSONValue? { document["paths"]?[path]?["post"]?["responses"] }
    #expect(failures("/embed")?["424"] != nil)
    #expect(failures("/encode")?["422"] != nil)
    #expect(failures("/v2/models/{model}/infer")?["422"] == nil)
    let example = failures("/v1/embeddings")?["429"]?["content"]?["application/json"]?["examples"]?[
      "example1"]?["value"]?["error"]?["code"]
    #expect(example == "rate_limit_exceeded")
  }

  @Test func itIsJSON() throws {
    var writer = JSONWriter()
    writer.value(document)
    #expect(try JSONParser.parse(writer.bytes) == document)
  }
}
