import HTTP
import HTTPTypes
import JSON
import Testing

@testable import Encoding
@testable import Protocols
@testable import Serving

@Suite struct ErrorShapeTests {
  private func answer(_ shape: ErrorShape, _ error: ServiceError) throws -> (Int, JSONValue) {
    let response = shape.response(error)
    guard case .bytes(let bytes) = response.body else { return (0, .null) }
    return (response.status.code, try JSONParser.parse(bytes))
  }

  private let router = Router(.all(ServedModels()))
  private let unknown = ServiceError.unknownModel(name: "a", served: "b")

  @Test func ownShape() throws {
    let (status, answer) = try answer(.native, .unprocessable("too long"))
    #expect(status == 422)
    #expect(answer == .object(["error": .string("too long"), "error_type": .string("Validation")]))
  }

  @Test func openAINamesTheMember() throws {
    let (status, answer) = try answer(.openAI, .invalid("wrong", parameter: "input"))
    #expect(status == 400)
    #expect(
      answer["error"]
        == .object([
          "message": .string("wrong"), "type": .string("invalid_request_error"),
          "param": .string("input"), "code": .null,
        ]))
    let (missing, model) = try self.answer(.openAI, unknown)
    #expect(missing == 404)
    #expect(model["error"]?["code"] == .string("model_not_found"))
    #expect(try self.answer(.openAI, .loading).1["error"]?["type"] == .string("server_error"))
  }

  @Test func statusesOfOthers() throws {
    let tei = try #require(router.routes.first { $0.path == "/embed" }).errors
    #expect(try answer(tei, .empty("none")).0 == 400)
    #expect(try answer(tei, .backend("broken")).0 == 424)
    #expect(try answer(tei, .unprocessable("long")).0 == 422)
    #expect(try answer(.plain, .unprocessable("long")).0 == 400)
    #expect(try answer(.plain, .overloaded(retryAfter: 2)).0 == 429)
    #expect(try answer(.plain, unknown).1 == .object(["error": .string(unknown.message)]))
    #expect(ErrorShape.plain.response(.overloaded(retryAfter: 2)).fields[.retryAfter] == "2")
  }

  @Test func unknownPathsAreAnsweredAsTheirProtocolWould() {
    #expect(router.errors(at: "/v2/models/a/none").name == ErrorShape.plain.name)
    #expect(router.errors(at: "/v1/models/a:predict").name == ErrorShape.plain.name)
    #expect(router.errors(at: "/v1/chat/completions").name == ErrorShape.openAI.name)
    #expect(router.errors(at: "/nowhere").name == ErrorShape.native.name)
  }
}
