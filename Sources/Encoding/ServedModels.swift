import Batching
package import JSON
package import Serving

/// The models that answer, and where they are in their life.
public final class ServedModels: Sendable {
  private enum Phase {
    case loading
    /// The first is the default.
    case ready([ServedModel])
    /// Empty if the stop came before the models.
    case draining([ServedModel])
  }

  private let phase = Locked(Phase.loading)

  public init() {}

  /// They are loaded and warm: from now on texts are encoded.
  ///
  /// - Parameter models: at least one; the first answers where no name is given.
  public func ready(_ models: [ServedModel]) {
    phase.withLock { if case .loading = $0 { $0 = .ready(models) } }
  }

  /// `/health/ready` answers 503 from now on; requests are still served.
  public func beginDraining() {
    phase.withLock { phase in
      if case .ready(let models) = phase {
        phase = .draining(models)
      } else {
        phase = .draining([])
      }
    }
  }

  /// The models that answer, the default first; those that are draining still do.
  package func all() throws(ServiceError) -> [ServedModel] {
    switch phase.withLock({ $0 }) {
    case .ready(let models): return models
    case .draining(let models) where !models.isEmpty: return models
    case .loading: throw .loading
    case .draining: throw .draining
    }
  }

  /// The model of that name, or the default where none is given.
  ///
  /// - Parameter exchange: the request whose path has the name.
  package func named(
    _ name: RawText? = nil, in exchange: Exchange? = nil
  ) throws(ServiceError) -> ServedModel {
    let models = try all()
    guard let name, !name.isEmpty else { return models[0] }
    let model =
      if let exchange { try models.named(name, in: exchange) } else { models.named(name) }
    guard let model else {
      let names = models.listedNames
      throw .unknownModel(name: name.description, served: names.joined(separator: ", "))
    }
    return model
  }

  // MARK: - Readiness

  /// Whether texts are encoded now.
  package enum Readiness: Sendable {
    case ready(ServedModel)
    case loading
    case draining
    /// Requests wait, and none has been answered for a long time.
    case stalled
  }

  /// Far longer than any pass or any reading of a body takes.
  private static let stallLimit = Duration.seconds(30)

  /// - Parameter parsing: where bodies are read.
  package func readiness(_ parsing: ParsingQueues) -> Readiness {
    switch phase.withLock({ $0 }) {
    case .loading: return .loading
    case .draining: return .draining
    case .ready(let models):
      let isStalled =
        parsing.stalledFor > Self.stallLimit
        || models[0].queue.statistics.stalledFor > Self.stallLimit
      return isStalled ? .stalled : .ready(models[0])
    }
  }
}
