import Settings
import Testing

@testable import Hosting

@Suite struct MemoryPlanTests {
  @Test func theSettingWins() {
    var settings = Settings()
    settings.maxBufferedBytes = 99 << 20
    #expect(MemoryPlan(settings, limit: 1 << 30).budget(besides: 1 << 29) == 99 << 20)
  }

  /// 1 GB less 24 MB, 1024 connections of 6 KB and the models: of the rest three fifths.
  @Test func requestsGetWhatModelsLeave() {
    let plan = MemoryPlan(Settings(), limit: 1 << 30)
    #expect(plan.models == (1 << 30) - (24 << 20))
    #expect(plan.budget(besides: 500 << 20) == (((1024 - 24 - 6 - 500) << 20) / 5) * 3)
    #expect(plan.budget(besides: 1 << 30) == plan.withoutModels)
  }

  @Test func connectionsCostMoreWithTLSAndAQuarterAtMost() {
    var settings = Settings()
    settings.tlsCertificate = "a"
    let plain = MemoryPlan(Settings(), limit: 1 << 30).budget(besides: 0)
    #expect(plain - MemoryPlan(settings, limit: 1 << 30).budget(besides: 0) == ((42 << 20) / 5) * 3)
    settings.maxConnections = .max
    let most = MemoryPlan(settings, limit: 1 << 30).budget(besides: 0)
    #expect(most == (((1024 - 24 - 256) << 20) / 5) * 3)
  }

  @Test func aSmallLimitLeavesNoModels() {
    #expect(MemoryPlan(Settings(), limit: 1 << 20).models == 0)
    #expect(MemoryPlan(Settings(), limit: nil).models == .max)
  }
}
