import HTTP
import HTTPTypes
package import JSON
import UntrustedInput

/// Parameters by name, each as it would stand in a query.
package typealias GivenParameters = [RawText: [RawText]]

extension Exchange {
  /// The query's parameters; one that the route does not declare is refused.
  package func givenParameters() throws(ServiceError) -> GivenParameters {
    let known = queryNames
    var given: GivenParameters = [:]
    for (name, value) in try queryItems() {
      guard known.contains(name) else {
        throw .invalid("there is no parameter '\(name)'; there are \(known.list)")
      }
      given[name, default: []].append(value)
    }
    return given
  }

  /// All that the query has, in its order.
  package func queryItems() throws(ServiceError) -> [(name: RawText, value: RawText)] {
    do {
      return try RequestTarget(request.head.path ?? "/").query.map { item in
        (RawText(item.name), RawText(item.value))
      }
    } catch {
      throw .invalid("the query does not parse: \(error.message)")
    }
  }
}

extension GivenParameters {
  package func single(_ name: RawText) throws(ServiceError) -> RawText? {
    guard let values = self[name] else { return nil }
    guard values.count == 1 else { throw .invalid("\(name) is given \(values.count) times") }
    return values[0]
  }

  package func integer(
    _ name: RawText, _ text: RawText, in range: ClosedRange<Int>
  ) throws(ServiceError) -> Int {
    guard let number = text.integer?.within(range) else {
      throw .invalid(
        "\(name) is a whole number from \(range.lowerBound) to \(range.upperBound); "
          + "it was '\(text)'")
    }
    return number
  }

  package func choice<Choice>(
    _ name: RawText, _ choices: KeyValuePairs<RawText, Choice>, default: Choice
  ) throws(ServiceError) -> Choice {
    guard let text = try single(name) else { return `default` }
    guard let choice = choices.first(where: { $0.key == text }) else {
      let list = choices.map(\.key.string).joined(separator: ", ")
      throw .invalid("\(name) is one of \(list); it was '\(text)'")
    }
    return choice.value
  }
}
