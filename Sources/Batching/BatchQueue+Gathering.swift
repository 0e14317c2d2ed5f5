import Synchronization

extension BatchQueue {
  /// Queues a request's items and answers once, with all of them in order or with the failure.
  ///
  /// - Parameter completion: called once, under the conditions of `submit(_:deadline:onEvent:)`;
  ///   never if the request is cancelled first.
  public func encode(
    _ items: [BatchItem], deadline: ContinuousClock.Instant? = nil,
    completion: @escaping @Sendable (Result<[EncodedResult], BatchingError>) -> Void
  ) throws(BatchingError) -> RequestID {
    let gathering = Gathering(count: items.count)
    return try submit(items, deadline: deadline) { event in
      switch event {
      case .failed(let error): completion(.failure(error))
      case .encoded(let index, let result):
        guard let results = gathering.add(result, at: index) else { return }
        completion(.success(results))
      }
    }
  }
}

/// A request's results as they come.
private final class Gathering: Sendable {
  private struct State {
    var results: [EncodedResult?]
    var missing: Int
  }

  private let state: Mutex<State>

  init(count: Int) {
    state = Mutex(State(results: Array(repeating: nil, count: count), missing: count))
  }

  /// All results, when this is the last.
  func add(_ result: EncodedResult, at index: Int) -> [EncodedResult]? {
    state.withLock { state in
      state.results[index] = result
      state.missing -= 1
      return state.missing == 0 ? state.results.compactMap(\.self) : nil
    }
  }
}
