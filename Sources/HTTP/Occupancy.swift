import Dispatch
import Synchronization

/// How many connections there are, of those that are served and of those over the limit.
final class Occupancy: Sendable {
  enum Admission: Equatable {
    case served(network: UInt64?)
    /// Gets the failure for an answer, unless it asks for the process's health.
    case restricted(HTTPFailure, network: UInt64?)

    var isServed: Bool {
      if case .served = self { return true }
      return false
    }

    /// Where the connection counts; nil if networks are not counted, or it is over that limit.
    fileprivate var network: UInt64? {
      switch self {
      case .served(let network), .restricted(_, let network): network
      }
    }
  }

  private let maxServed: Int
  /// Nil: as many as there are.
  private let maxPerNetwork: Int?
  private let served = Atomic(0)
  private let perNetwork = Mutex<[UInt64: Int]>([:])
  /// Open connections of both kinds.
  let group = DispatchGroup()

  init(_ limits: ServerLimits) {
    maxServed = limits.maxConnections
    let limit = limits.maxConnectionsPerAddress
    maxPerNetwork = limit < maxServed ? limit : nil
  }

  /// Takes a place if there is one. On one queue only.
  /// - Parameter network: called only if it matters.
  func admit(network: () -> UInt64) -> Admission {
    group.enter()
    var counted: UInt64?
    if let limit = maxPerNetwork {
      let network = network()
      let isWithinLimit = perNetwork.withLock { counts in
        guard counts[network, default: 0] < limit else { return false }
        counts[network, default: 0] += 1
        return true
      }
      guard isWithinLimit else {
        return .restricted(.tooManyConnectionsOfAddress(limit: limit), network: nil)
      }
      counted = network
    }
    guard served.load(ordering: .relaxed) < maxServed else {
      return .restricted(.tooManyConnections(limit: maxServed), network: counted)
    }
    served.add()
    return .served(network: counted)
  }

  /// Gives the place of one connection to another, which had none.
  func hand(_ admission: inout Admission, to other: inout Admission) {
    let limit = HTTPFailure.tooManyConnections(limit: maxServed)
    let (first, second) = (admission.network, other.network)
    admission = .restricted(limit, network: first)
    other = .served(network: second)
  }

  /// Gives a place back.
  func leave(_ admission: Admission) {
    if admission.isServed { served.add(-1) }
    if let network = admission.network {
      perNetwork.withLock { counts in
        let count = counts[network, default: 0] - 1
        counts[network] = count > 0 ? count : nil
      }
    }
    group.leave()
  }
}
