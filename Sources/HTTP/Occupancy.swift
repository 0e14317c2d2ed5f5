import Dispatch
import Synchronization

/// How many connections there are, of those that are served and those only told that there are too
/// many.
final class Occupancy: Sendable {
  enum Admission: Equatable {
    /// - Parameter network: where it counts, if networks are counted.
    case served(network: UInt64?)
    case rejected(HTTPFailure)

    var isServed: Bool {
      if case .served = self { return true }
      return false
    }
  }

  /// Rejected connections at a time; further ones wait in the backlog.
  private static let maxRejected = 64

  private let maxServed: Int
  /// Nil: as many as there are.
  private let maxServedPerNetwork: Int?
  private let served = Atomic(0)
  private let rejected = Atomic(0)
  private let perNetwork = Mutex<[UInt64: Int]>([:])
  /// Open connections of both kinds.
  let group = DispatchGroup()

  init(_ limits: ServerLimits) {
    maxServed = limits.maxConnections
    let limit = limits.maxConnectionsPerAddress
    maxServedPerNetwork = limit < maxServed ? limit : nil
  }

  /// Takes a place; nil if there is none of either kind. On one queue only.
  func admit() -> Admission? {
    let admission: Admission
    if served.load(ordering: .relaxed) < maxServed {
      served.add()
      admission = .served(network: nil)
    } else if rejected.load(ordering: .relaxed) < Self.maxRejected {
      rejected.add()
      admission = .rejected(.tooManyConnections(limit: maxServed))
    } else {
      return nil
    }
    group.enter()
    return admission
  }

  /// What becomes of an admission once it is known who comes; nil, and the place is given back, if
  /// there is no room even to say no.
  /// - Parameter network: called only if it matters.
  func settle(_ admission: Admission, network: () -> UInt64) -> Admission? {
    guard let limit = maxServedPerNetwork, admission.isServed else { return admission }
    let network = network()
    let isServed = perNetwork.withLock { counts in
      guard counts[network, default: 0] < limit else { return false }
      counts[network, default: 0] += 1
      return true
    }
    if isServed { return .served(network: network) }
    guard rejected.load(ordering: .relaxed) < Self.maxRejected else {
      leave(admission)
      return nil
    }
    served.add(-1)
    rejected.add()
    return .rejected(.tooManyConnectionsOfAddress(limit: limit))
  }

  func leave(_ admission: Admission) {
    switch admission {
    case .served(let network):
      served.add(-1)
      guard let network else { break }
      perNetwork.withLock { counts in
        let count = counts[network, default: 0] - 1
        counts[network] = count > 0 ? count : nil
      }
    case .rejected: rejected.add(-1)
    }
    group.leave()
  }
}
