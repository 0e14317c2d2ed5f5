import HTTPTypes
import JSON
import Testing

@testable import Encoding
@testable import Protocols
@testable import Serving

@Suite struct RouteTests {
  private let router = Router(.all(ServedModels()))

  private func find(_ method: HTTPRequest.Method, _ path: String) throws -> Route.Match {
    try router.find(HTTPRequest(method: method, scheme: "http", authority: "a", path: path))
  }

  @Test func noTwoRoutesAreTheSame() {
    let names = router.routes.map { "\($0.method.rawValue) \($0.path)" }
    #expect(Set(names).count == names.count)
  }

  @Test func everyRouteFindsItself() throws {
    for route in router.routes {
      let path = route.path.replacing("{", with: "a-").replacing("}", with: ".b")
      let match = try find(route.method, path)
      #expect(match.route.path == route.path)
      #expect(match.parameters.allSatisfy { $0.value == RawText("a-\($0.key).b") })
    }
  }

  @Test func placesAreRead() throws {
    #expect(try find(.get, "/v1/models/little?a=b").parameters == ["model": "little"])
    #expect(try find(.head, "/v1//models/l%69ttle/").parameters == ["model": "little"])
    // A model's name may have slashes, in up to four parts.
    #expect(try find(.get, "/v1/models/a/b/c").parameters == ["model": "a/b/c"])
    #expect(
      try find(.post, "/v2/models/a/b/versions/1/infer").parameters == [
        "model": "a/b", "version": "1",
      ])
    #expect(throws: ServiceError.self) { try find(.get, "/v1/models/a/b/c/d/e") }
    #expect(throws: ServiceError.self) { try find(.get, "/v2/modells/a/b") }
    #expect(throws: ServiceError.self) { try find(.delete, "/v1/models/a") }
  }

  @Test func templates() {
    let template = PathTemplate("/v1/models/{model}/versions/{version}:predict")
    #expect(
      template.match(["v1", "models", "a", "versions", "1:predict"]) == [
        "model": "a", "version": "1",
      ])
    for other: [RawText] in [
      ["v1", "models", "a", "versions", "1"], ["v1", "models", "a", "versions", ":predict"],
      ["v1", "models", "a"], ["v2", "models", "a", "versions", "1:predict"],
    ] {
      #expect(template.match(other) == nil)
    }
  }

  @Test func optionsTellTheMethods() throws {
    #expect(try find(.options, "/encode").route.method == .options)
    #expect(try find(.options, "*").route.method == .options)
  }

  @Test(arguments: [
    ("/base/api/encode?a=b", "/encode?a=b"), ("/base/api", "/"), ("/base/api?a", "/?a"),
    ("/base/api/", "/"), ("/base/apix", "/base/apix"), ("/encode", "/encode"), ("/base", "/base"),
    ("*", "*"),
  ])
  func thePrefixOfAProxy(target: String, taken: String) {
    #expect(BasePath(text: "/base/api").taken(from: target) == taken)
    #expect(BasePath(text: "").taken(from: target) == target)
  }

  @Test func whatIsMissedIsRefusedByName() {
    #expect(router.unknownRoute("/v1/chat/completions").message.contains("embeddings"))
    #expect(router.unknownRoute("/v1/models/a:classify").message.contains("tf.Example"))
    #expect(router.unknownRoute("/none").message.contains("/openapi.json"))
  }

  @Test(arguments: [
    ("", nil), ("/base", nil), ("/v1", "/v1/embeddings"), ("/encode", "/encode"),
    ("/encode/more", nil),
  ])
  func aPrefixThatHidesRoutes(prefix: String, hidden: String?) {
    #expect(BasePath(text: prefix).hiddenRoute(of: router) == hidden)
  }

  @Test func modelsAnswerToTheirNames() throws {
    var (first, second) = (try TestModel.make(), try TestModel.make())
    (first.name, first.aliases) = ("minilm", ["text-embedding-ada-002", "e5/base"])
    (second.name, second.hubNames) = ("base", ["google/bert-base"])
    func found(_ name: RawText) -> String? { [first, second].named(name)?.name }
    #expect(found("minilm") == "minilm" && found("text-embedding-ada-002") == "minilm")
    #expect(found("sentence-transformers/minilm") == "minilm" && found("a/base") == "base")
    #expect(found("e5/base") == "minilm", "a name that was given goes before the rule")
    #expect(found("google/bert-base") == "base" && found("bert-base") == nil)
    for name: RawText in ["/minilm", "a/b/minilm", "minilm/", "Minilm", "mini", "*"] {
      #expect(found(name) == nil)
    }
    second.takesAnyName = true
    #expect(found("anything") == "base" && found("minilm") == "minilm")
  }

  @Test func traces() throws {
    let field = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    let trace = try #require(TraceParent(field))
    #expect(trace.traceID == "0af7651916cd43dd8448eb211c80319c")
    #expect(trace.parentID == "b7ad6b7169203331")
    #expect(trace.field == "00-\(trace.traceID)-\(trace.spanID)-01")
    #expect(trace.spanID.count == 16)
    #expect(TraceParent("cc" + field.dropFirst(2) + "-of-a-later-version") != nil)
    for wrong in [
      "", "ff" + field.dropFirst(2), field + "-more", field.uppercased(),
      "00-00000000000000000000000000000000-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", String(field.dropLast()),
    ] {
      #expect(TraceParent(wrong) == nil, "\(wrong)")
    }
  }
}
