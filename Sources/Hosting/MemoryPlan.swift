import CPlatform
import Glibc
public import Settings

/// How the process's memory is shared out between models and requests.
public struct MemoryPlan: Sendable {
  /// Bytes that the process takes before any model, vocabularies included, rounded up.
  private static let processBytes = 24 << 20
  /// Bytes of an open connection besides what counts against the budget; with TLS libssl's buffers.
  private static let connectionBytes = 6 << 10
  private static let tlsConnectionBytes = 48 << 10
  /// The least that requests get, whatever the limit.
  private static let leastBudget = 16 << 20

  /// Bytes that the control group allows; nil without a limit.
  public let limit: Int?
  private let setting: Int
  private let connections: Int

  /// Of this process.
  public init(_ settings: Settings) {
    let limit = platform_cgroup_memory_limit()
    self.init(settings, limit: limit > 0 ? Int(clamping: limit) : nil)
  }

  init(_ settings: Settings, limit: Int?) {
    self.limit = limit
    setting = settings.maxBufferedBytes
    let each = settings.tlsCertificate.isEmpty ? Self.connectionBytes : Self.tlsConnectionBytes
    // Places that are all taken are rare: where they would take a quarter of the limit, so much.
    let most = (limit ?? .max) / 4
    let (all, overflow) = settings.maxConnections.multipliedReportingOverflow(by: each)
    connections = overflow ? most : min(all, most)
  }

  /// Bytes that weights and passes may take.
  public var models: Int { limit.map { max(0, $0 - Self.processBytes) } ?? .max }

  /// Bytes that requests may hold until the models are loaded; what is answered till then needs none.
  public var withoutModels: Int { Self.leastBudget }

  /// Bytes that requests may hold beside models of that size. Two fifths are left to the allocator,
  /// and to copies for a moment.
  public func budget(besides models: Int) -> Int {
    if setting > 0 { return setting }
    let available = limit ?? sysconf(Int32(_SC_PHYS_PAGES)) / 2 * sysconf(Int32(_SC_PAGESIZE))
    let rest = available - Self.processBytes - connections - models
    return max(Self.leastBudget, rest / 5 * 3)
  }
}
