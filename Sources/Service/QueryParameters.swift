import HTTP
import HTTPTypes
import JSON

extension Service {
  /// The query's parameters; one that the route does not declare is refused.
  func parameters(_ exchange: Exchange) throws(ServiceError) -> GivenParameters {
    let known = exchange.queryNames
    var given: GivenParameters = [:]
    for (name, value) in try queryItems(exchange) {
      guard known.contains(name) else {
        throw .invalid("there is no parameter '\(name)'; there are \(known.list)")
      }
      given[name, default: []].append(value)
    }
    return given
  }

  /// All that the query has, in its order.
  func queryItems(
    _ exchange: Exchange
  ) throws(ServiceError) -> [(name: RawText, value: RawText)] {
    do {
      return try RequestTarget(exchange.request.head.path ?? "/").query.map { item in
        (RawText(item.name), RawText(item.value))
      }
    } catch {
      throw .invalid("the query does not parse: \(error.message)")
    }
  }
}
