import HTTP
import Serving
import Settings
import Testing

@testable import Hosting

@Suite struct LimitsTests {
  /// Every one is handed on: another default, or a property that is forgotten, shows.
  @Test func settingsReachTheModules() {
    var settings = Settings()
    (settings.maxTexts, settings.maxBodyBytes, settings.maxOutputBytes) = (1, 2, 3)
    (settings.maxJSONDepth, settings.requestTimeout) = (4, .seconds(5))
    (settings.maxConnections, settings.maxConnectionsPerAddress) = (6, 7)
    (settings.maxTargetBytes, settings.maxHeaderBytes, settings.maxHeaderCount) = (8, 9, 10)
    (settings.headerTimeout, settings.bodyTimeout) = (.seconds(11), .seconds(12))
    (settings.writeTimeout, settings.idleTimeout) = (.seconds(13), .seconds(14))
    let service = settings.serviceLimits
    #expect(
      [service.texts, service.bodyBytes, service.outputBytes, service.jsonDepth] == [1, 2, 3, 4])
    #expect(service.requestTimeout == .seconds(5))
    let server = settings.serverLimits
    #expect([server.maxConnections, server.maxConnectionsPerAddress] == [6, 7])
    #expect([server.maxTargetBytes, server.maxHeaderBytes, server.maxFieldBytes] == [8, 9, 9])
    #expect([server.maxHeaderCount, server.maxBodyBytes] == [10, 2])
    #expect([server.headerTimeout, server.bodyTimeout] == [.seconds(11), .seconds(12)])
    #expect([server.writeTimeout, server.idleTimeout] == [.seconds(13), .seconds(14)])
    settings.maxConnectionsPerAddress = 0
    #expect(settings.serverLimits.maxConnectionsPerAddress == .max)
  }
}
