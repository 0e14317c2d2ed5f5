extension BatchQueue {
  /// Queues a request's items and answers once, with all of them in order or with the failure.
  ///
  /// - Parameter completion: called once, under the conditions of `submit(_:to:deadline:onEvent:)`;
  ///   never if the request is cancelled first.
  public func encode(
    _ items: [BatchItem], to encoder: Int = 0, deadline: ContinuousClock.Instant? = nil,
    completion: @escaping @Sendable (Result<[EncodedResult], BatchingError>) -> Void
  ) throws(BatchingError) -> RequestID {
    let gathering = Gathering(count: items.count)
    return try submit(items, to: encoder, deadline: deadline) { event in
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
///
/// `@unchecked Sendable`: a request hears its events one by one, on the queue of all listeners; only
/// from there is `add` called.
private final class Gathering: @unchecked Sendable {
  private var results: [EncodedResult?]
  private var missing: Int

  init(count: Int) {
    results = Array(repeating: nil, count: count)
    missing = count
  }

  /// All results, when this is the last.
  func add(_ result: EncodedResult, at index: Int) -> [EncodedResult]? {
    results[index] = result
    missing -= 1
    return missing == 0 ? results.compactMap(\.self) : nil
  }
}
