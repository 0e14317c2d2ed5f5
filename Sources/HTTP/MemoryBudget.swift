import Synchronization

/// How many bytes of requests and answers the process may hold at a time: bodies, decompressed
/// bodies, tokens, results, answers that are not sent yet.
///
/// Every size has a limit of its own, but limits multiply: a thousand connections of 16 MiB each fit
/// in no container. All is therefore taken from one budget before it is held.
public final class MemoryBudget: Sendable {
  /// Requests that hold less may use all of the budget, others three quarters: while a few large
  /// requests fill it, small ones are still served.
  public static let smallRequestBytes = 128 << 10

  private let limitBytes: Atomic<Int>
  private let usedBytes = Atomic(0)
  private let refusalCount = Atomic(0)

  public init(limit: Int = .max) { limitBytes = Atomic(limit) }

  /// Bytes.
  public var limit: Int {
    get { limitBytes.load(ordering: .relaxed) }
    set { limitBytes.store(newValue, ordering: .relaxed) }
  }

  /// Bytes held now.
  public var used: Int { usedBytes.load(ordering: .relaxed) }

  /// How often there was no room.
  public var refusals: Int { refusalCount.load(ordering: .relaxed) }

  /// The most that one request may ever hold.
  public var largestRequest: Int { limit - limit / 4 }

  /// - Parameters:
  ///   - bytes: not negative.
  ///   - total: what the request then holds in all.
  fileprivate func take(_ bytes: Int, total: Int) -> Bool {
    let room = total <= Self.smallRequestBytes ? limit : largestRequest
    var used = usedBytes.load(ordering: .relaxed)
    while bytes <= room - used {
      let (exchanged, current) = usedBytes.weakCompareExchange(
        expected: used, desired: used + bytes, ordering: .relaxed)
      if exchanged { return true }
      used = current
    }
    refusalCount.add()
    return false
  }

  fileprivate func give(_ bytes: Int) { usedBytes.add(-bytes) }
}

/// What one request holds of a budget; all of it is given back when nobody keeps this any more.
///
/// Kept by whoever holds the bytes: the connection while it reads, then the request, then the
/// connection again until the answer is sent.
public final class MemoryReservation: Sendable {
  private let budget: MemoryBudget
  private let heldBytes = Atomic(0)

  public init(_ budget: MemoryBudget) { self.budget = budget }

  deinit { budget.give(bytes) }

  /// Bytes held.
  public var bytes: Int { heldBytes.load(ordering: .relaxed) }

  /// The most that it could ever hold.
  public var limit: Int { budget.largestRequest }

  /// Takes so many bytes more; false if there is no room, and then nothing has changed.
  ///
  /// - Parameter bytes: not negative.
  public func grow(by bytes: Int) -> Bool {
    let (total, overflow) = self.bytes.addingReportingOverflow(bytes)
    guard !overflow, budget.take(bytes, total: total) else { return false }
    heldBytes.add(bytes)
    return true
  }

  /// Gives so many bytes back.
  public func shrink(by bytes: Int) {
    heldBytes.add(-bytes)
    budget.give(bytes)
  }

  /// Hands so many of the bytes to a reservation of their own.
  ///
  /// - Parameter bytes: not negative, and not more than are held.
  func split(_ bytes: Int) -> MemoryReservation {
    let part = MemoryReservation(budget)
    heldBytes.add(-bytes)
    part.heldBytes.add(bytes)
    return part
  }

  /// Holds exactly so many bytes from now on; false if there is no room for more.
  public func resize(to bytes: Int) -> Bool {
    let difference = bytes - self.bytes
    if difference > 0 { return grow(by: difference) }
    shrink(by: -difference)
    return true
  }
}
